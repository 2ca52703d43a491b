// check_input and input_from_query: one place that decides what an input may look like, so that
// every unit refuses the same fault in the same words.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "daemon/domain/near_miss.h"
#include "daemon/domain/unit.h"

namespace aima {
namespace {

const char* words_for(FieldType type) {
  switch (type) {
    case FieldType::string:
      return "a string";
    case FieldType::integer:
      return "an integer";
    case FieldType::number:
      return "a number";
    case FieldType::boolean:
      return "true or false";
    case FieldType::object:
      return "an object";
    case FieldType::string_list:
      return "a list of strings";
    case FieldType::object_list:
      return "a list of objects";
  }
  return "?";
}

bool has_type(const Json& value, FieldType type) {
  const auto all = [&](auto predicate) {
    return value.is_array() && std::all_of(value.begin(), value.end(), predicate);
  };
  switch (type) {
    case FieldType::string:
      return value.is_string();
    case FieldType::integer:
      return value.is_number_integer();
    case FieldType::number:
      return value.is_number();
    case FieldType::boolean:
      return value.is_boolean();
    case FieldType::object:
      return value.is_object();
    case FieldType::string_list:
      return all([](const Json& item) { return item.is_string(); });
    case FieldType::object_list:
      return all([](const Json& item) { return item.is_object(); });
  }
  return false;
}

std::string found(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

tl::unexpected<Error> refuse(const std::string& field, std::string message) {
  return fail(400, "invalid_input", std::move(message), Json{{"field", field}});
}

const Field* field_for(const std::vector<Field>& fields, const std::string& key) {
  for (const auto& field : fields)
    if (field.name == key ||
        std::find(field.aliases.begin(), field.aliases.end(), key) != field.aliases.end())
      return &field;
  return nullptr;
}

tl::unexpected<Error> unknown_field(const std::vector<Field>& fields, const std::string& key) {
  std::vector<std::string> names;
  std::string listed;
  for (const auto& field : fields) {
    names.push_back(field.name);
    listed += (listed.empty() ? "" : ", ") + field.name;
  }
  const std::string hint = did_you_mean(key, names);
  return refuse(
      key, fmt::format("unknown field '{}'{}{}", key, hint,
                       listed.empty() ? "; this unit takes no input" : " (known: " + listed + ")"));
}

Result<void> check_value(const Field& field, const Json& value) {
  if (!has_type(value, field.type))
    return refuse(field.name, fmt::format("field '{}' must be {}, not {}", field.name,
                                          words_for(field.type), found(value)));
  if (field.type == FieldType::string) {
    const auto& text = value.get_ref<const std::string&>();
    if (field.required && text.empty())
      return refuse(field.name, fmt::format("field '{}' must not be empty", field.name));
    if (!field.allowed.empty() &&
        std::find(field.allowed.begin(), field.allowed.end(), text) == field.allowed.end())
      return refuse(field.name, fmt::format("field '{}' must be one of {}, not '{}'{}", field.name,
                                            fmt::join(field.allowed, ", "), text,
                                            did_you_mean(text, field.allowed)));
  }
  if (field.type == FieldType::integer || field.type == FieldType::number) {
    const double number = value.get<double>();
    if (field.minimum == field.maximum && number != field.minimum)
      return refuse(field.name, fmt::format("field '{}' can only be {:.15g}, not {} ({})", field.name,
                                            field.minimum, found(value), field.help));
    if (number < field.minimum || number > field.maximum)
      return refuse(field.name,
                    fmt::format("field '{}' must be from {:.15g} to {:.15g}, not {}", field.name,
                                field.minimum, field.maximum, found(value)));
  }
  if (field.required && field.type == FieldType::object_list && value.empty())
    return refuse(field.name, fmt::format("field '{}' must not be empty", field.name));
  return {};
}

Result<Json> parse_query_value(const Field& field, const std::string& text) {
  const auto wrong = [&] {
    return refuse(field.name, fmt::format("field '{}' must be {}, not '{}'", field.name,
                                          words_for(field.type), text.substr(0, 60)));
  };
  const char* begin = text.data();
  const char* end = begin + text.size();
  switch (field.type) {
    case FieldType::string:
      return Json(text);
    case FieldType::integer: {
      std::int64_t value = 0;
      const auto [at, error] = std::from_chars(begin, end, value);
      if (error != std::errc{} || at != end) return wrong();
      return Json(value);
    }
    case FieldType::number: {
      double value = 0;
      const auto [at, error] = std::from_chars(begin, end, value);
      if (error != std::errc{} || at != end || !std::isfinite(value)) return wrong();
      return Json(value);
    }
    case FieldType::boolean:
      if (text == "true" || text == "1") return Json(true);
      if (text == "false" || text == "0") return Json(false);
      return wrong();
    case FieldType::object:
    case FieldType::object_list: {
      const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth < 64; };
      Json value = Json::parse(text, shallow, false);
      if (!has_type(value, field.type)) return wrong();
      return value;
    }
    case FieldType::string_list:
      return Json::array({text});
  }
  return wrong();
}
}  // namespace

Result<Json> check_input(const std::vector<Field>& fields, Json input) {
  if (input.is_null()) input = Json::object();
  if (!input.is_object())
    return fail(400, "invalid_input", "the input must be a JSON object, not " + found(input));
  Json checked = Json::object();
  for (auto& [key, value] : input.items()) {
    const Field* field = field_for(fields, key);
    if (!field && field_for(fields, "*")) {
      checked[key] = std::move(value);
      continue;
    }
    if (!field) return unknown_field(fields, key);
    if (value.is_null()) continue;  // null says the same as leaving the field out
    if (auto good = check_value(*field, value); !good) return tl::unexpected(good.error());
    if (checked.contains(field->name) && checked[field->name] != value)
      return refuse(field->name, fmt::format("field '{}' is given twice with different values "
                                             "(as '{}' too)",
                                             field->name, key));
    checked[field->name] = std::move(value);
  }
  for (const auto& field : fields) {
    if (checked.contains(field.name)) continue;
    if (field.required)
      return refuse(field.name, fmt::format("field '{}' is missing: it must be {}{}", field.name,
                                            words_for(field.type),
                                            field.help.empty() ? "" : " (" + field.help + ")"));
    if (!field.fallback.is_null()) checked[field.name] = field.fallback;
  }
  return checked;
}

Result<Json> input_from_query(const std::vector<Field>& fields,
                              const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json input = Json::object();
  for (const auto& [key, text] : pairs) {
    const Field* field = field_for(fields, key);
    if (!field) return unknown_field(fields, key);
    auto value = parse_query_value(*field, text);
    if (!value) return tl::unexpected(value.error());
    if (!input.contains(field->name)) {
      input[field->name] = std::move(*value);
    } else if (field->type == FieldType::string_list) {
      input[field->name].push_back(text);
    } else if (input[field->name] != *value) {
      return refuse(field->name,
                    fmt::format("field '{}' is given twice with different values", field->name));
    }
  }
  return check_input(fields, std::move(input));
}

std::shared_ptr<const std::string> ready_text(
    const Unit& unit, const std::vector<std::pair<std::string, std::string>>& pairs) {
  if (!unit.text || pairs.size() != 1 || pairs.front().second.empty()) return nullptr;
  if (field_for(unit.fields, pairs.front().first) != &unit.fields.front()) return nullptr;
  return unit.text(pairs.front().second);
}

}  // namespace aima
