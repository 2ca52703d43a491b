#include "daemon/gateway/execute_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "daemon/config/duration.h"
#include "daemon/domain/near_miss.h"

namespace aima {
namespace {

tl::unexpected<Error> refuse_key(const std::string& key, std::string message) {
  return fail(400, "invalid_input", std::move(message), Json{{"field", key}});
}

std::string printed(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

Result<void> check_keys(const Json& object, const std::string& prefix,
                        const std::vector<std::string>& known) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    return refuse_key(prefix + key, fmt::format("unknown key '{}{}'{} (known: {})", prefix, key,
                                                did_you_mean(key, known), fmt::join(known, ", ")));
  }
  return {};
}

// A member that is not there or null is null.
const Json& member(const Json& object, const char* key) {
  static const Json nothing = nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

Result<void> read_timeout(const Json& value, ExecuteRequest& request) {
  if (value.is_null()) return {};
  std::optional<std::chrono::milliseconds> timeout;
  if (value.is_string()) timeout = parse_duration(value.get_ref<const std::string&>());
  if (value.is_number()) {
    const double seconds = value.get<double>();
    if (seconds > 0 && seconds <= 1e6) {
      timeout = std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
    }
  }
  if (!timeout || timeout->count() < 1 || *timeout > most_execute_timeout) {
    return refuse_key("options.timeout",
                      "'options.timeout' must be a duration like \"30s\" or \"500ms\", or a number "
                      "of seconds, from 1 ms to 24 h, not " +
                          printed(value));
  }
  request.timeout = timeout;
  return {};
}

Result<void> read_options(const Json& options, ExecuteRequest& request) {
  if (options.is_null()) return {};
  if (!options.is_object()) {
    return refuse_key("options", "'options' must be an object, not " + printed(options));
  }
  if (auto good = check_keys(options, "options.", {"timeout", "trace_id"}); !good) return good;
  if (auto good = read_timeout(member(options, "timeout"), request); !good) return good;
  const Json& trace = member(options, "trace_id");
  if (trace.is_null()) return {};
  if (!trace.is_string() || !is_trace_id(trace.get_ref<const std::string&>())) {
    return refuse_key("options.trace_id",
                      "'options.trace_id' must be 1 to 128 printable ASCII "
                      "characters, not " +
                          printed(trace));
  }
  request.trace_id = trace.get<std::string>();
  return {};
}

Result<const Unit*> find_unit(const UnitRegistry& units, const Json& name) {
  if (name.is_null()) {
    return refuse_key("unit",
                      "'unit' is missing: it must be the name of a unit, like "
                      "\"model.list\"; system.units lists them");
  }
  if (!name.is_string()) {
    return refuse_key("unit", "'unit' must be a string, not " + printed(name));
  }
  const auto& asked = name.get_ref<const std::string&>();
  const auto dot = asked.find('.');
  if (dot != std::string::npos) {
    const Unit* unit =
        units.find(std::string_view(asked).substr(0, dot), std::string_view(asked).substr(dot + 1));
    if (unit != nullptr) return unit;
  }
  std::vector<std::string> names;
  for (const auto& unit : units.all()) names.push_back(unit->name());
  std::string hint = did_you_mean(asked, names);
  if (hint.empty()) hint = "; system.units lists what there is";
  return fail(404, "unknown_unit", "there is no unit '" + asked.substr(0, 200) + "'" + hint,
              Json{{"field", "unit"}, {"unit", asked.substr(0, 200)}});
}

Result<void> check_type(const Json& type, const Unit& unit) {
  if (type.is_null()) return {};
  const char* kind = unit.kind == UnitKind::query ? "query" : "command";
  if (type == kind) return {};
  if (type != "query" && type != "command") {
    return refuse_key("type", "'type' must be \"command\" or \"query\", not " + printed(type));
  }
  return refuse_key("type",
                    fmt::format("'type' is {}, but {} is a {}", printed(type), unit.name(), kind));
}

}  // namespace

bool is_trace_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

std::string trace_id_in(const Json& body) {
  if (!body.is_object()) return {};
  const Json& options = member(body, "options");
  if (!options.is_object()) return {};
  const Json& trace = member(options, "trace_id");
  if (!trace.is_string() || !is_trace_id(trace.get_ref<const std::string&>())) return {};
  return trace.get<std::string>();
}

Result<ExecuteRequest> parse_execute(const UnitRegistry& units, Json body) {
  ExecuteRequest request;
  if (auto good = check_keys(body, "", {"type", "unit", "input", "options"}); !good) {
    return tl::unexpected(good.error());
  }
  auto unit = find_unit(units, member(body, "unit"));
  if (!unit) return tl::unexpected(unit.error());
  request.unit = *unit;
  if (auto good = check_type(member(body, "type"), **unit); !good) {
    return tl::unexpected(good.error());
  }
  if (auto good = read_options(member(body, "options"), request); !good) {
    return tl::unexpected(good.error());
  }
  const Json& input = member(body, "input");
  if (!input.is_null() && !input.is_object()) {
    return refuse_key("input", "'input' must be an object, not " + printed(input));
  }
  if (input.is_object()) request.input = std::move(body["input"]);
  const auto stream = request.input.find("stream");
  if (stream != request.input.end() && *stream == true) {
    return refuse_key("input.stream",
                      "'input.stream': a stream does not fit into an envelope; leave it out, or "
                      "POST the input to /api/" +
                          request.unit->domain + "/" + request.unit->verb);
  }
  return request;
}

Json execute_schema(const UnitRegistry& units) {
  Json names = Json::array();
  for (const auto& unit : units.all()) names.push_back(unit->name());
  const Json timeout{{"description", "\"30s\", \"500ms\" or seconds, at most 24 h; past it: 504"},
                     {"oneOf", Json::array({Json{{"type", "string"}}, Json{{"type", "number"}}})}};
  const Json trace{{"type", "string"},
                   {"minLength", 1},
                   {"maxLength", 128},
                   {"description", "comes back as meta.trace_id"}};
  return {
      {"type", "object"},
      {"required", Json::array({"unit"})},
      {"additionalProperties", false},
      {"properties",
       {{"type",
         {{"type", "string"},
          {"enum", Json::array({"command", "query"})},
          {"description", "what the unit must be; refused where it is not"}}},
        {"unit", {{"type", "string"}, {"enum", names}}},
        {"input",
         {{"type", "object"}, {"description", "as the unit takes it: its own path below /api"}}},
        {"options",
         {{"type", "object"},
          {"additionalProperties", false},
          {"properties", {{"timeout", timeout}, {"trace_id", trace}}}}}}}};
}

}  // namespace aima
