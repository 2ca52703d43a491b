// Durations and ${…} in texts.
#include <fmt/format.h>

#include <charconv>

#include "harness/scenario/names.h"
#include "harness/scenario/scenario.h"

namespace harness {

Result<Milliseconds> parse_duration(const std::string& text) {
  const auto refuse = [&] {
    return fail(ErrorKind::invalid,
                fmt::format("`{}` is not a duration: write 250ms, 3s, 2m or 0", text));
  };
  constexpr std::int64_t most = 24LL * 3600 * 1000;
  std::int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || count < 0 || count > most) return refuse();
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  std::int64_t factor = 0;
  if (unit == "ms" || (unit.empty() && count == 0)) {
    factor = 1;
  } else if (unit == "s") {
    factor = 1000;
  } else if (unit == "m") {
    factor = 60'000;
  } else {
    return refuse();
  }
  if (count > most / factor) {
    return fail(ErrorKind::invalid, fmt::format("`{}` is longer than a day", text));
  }
  return Milliseconds(count * factor);
}

bool is_identifier(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return true;
}

std::vector<Reference> references_in(const std::string& text) {
  std::vector<Reference> found;
  for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at + 2)) {
    if (at > 0 && text[at - 1] == '$') continue;  // $${ is a plain ${
    Reference reference;
    reference.begin = at;
    const auto close = text.find('}', at);
    if (close == std::string::npos) {
      reference.end = text.size();
      reference.closed = false;
    } else {
      reference.end = close + 1;
      const std::string inner = text.substr(at + 2, close - at - 2);
      const auto dot = inner.find('.');
      reference.name = inner.substr(0, dot);
      for (std::size_t begin = dot; begin < inner.size();) {
        const auto end = inner.find('.', begin + 1);
        reference.fields.push_back(inner.substr(begin + 1, end == inner.npos ? end : end - begin - 1));
        begin = end;
      }
    }
    found.push_back(std::move(reference));
  }
  return found;
}

namespace {
Result<std::string> value_of(const Reference& reference, const std::string& text,
                             const std::map<std::string, Json>& values) {
  const std::string written = text.substr(reference.begin, reference.end - reference.begin);
  if (!reference.closed) {
    return fail(ErrorKind::invalid, fmt::format("`{}` is never closed with }}", written));
  }
  const auto found = values.find(reference.name);
  if (found == values.end()) {
    return fail(ErrorKind::invalid, fmt::format("`{}` has no value: nothing captured or set it", written));
  }
  const Json* value = &found->second;
  for (const auto& field : reference.fields) {
    if (!value->is_object() || !value->contains(field)) {
      return fail(ErrorKind::invalid, fmt::format("`{}`: the value has no field `{}`", written, field));
    }
    value = &(*value)[field];
  }
  if (value->is_string()) return value->get<std::string>();
  return value->dump(-1, ' ', false, Json::error_handler_t::replace);
}
}  // namespace

Result<std::string> substitute(const std::string& text, const std::map<std::string, Json>& values) {
  std::string result;
  std::size_t done = 0;
  const auto copy = [&](std::size_t end) {
    std::string_view part = std::string_view(text).substr(done, end - done);
    for (std::size_t at = part.find("$${"); at != part.npos; at = part.find("$${")) {
      result += part.substr(0, at);
      result += "${";
      part.remove_prefix(at + 3);
    }
    result += part;
  };
  for (const auto& reference : references_in(text)) {
    if (reference.begin < done) continue;
    copy(reference.begin);
    auto value = value_of(reference, text, values);
    if (!value) return value;
    result += *value;
    done = reference.end;
  }
  copy(text.size());
  return result;
}
}  // namespace harness
