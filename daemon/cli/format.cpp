// See format.h.
#include "daemon/cli/format.h"

#include <algorithm>

namespace aima::cli {
namespace {
constexpr std::size_t kNestedCell = 48;  // code points; --output json shows all
constexpr auto kRepair = Json::error_handler_t::replace;  // never throws on broken UTF-8

std::string dump(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, kRepair);
}

// Columns of a terminal: code points; close enough for names and messages.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  }));
}

// One cell: no line breaks or control bytes, which could rewrite the terminal.
std::string one_line(std::string text) {
  for (char& byte : text) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) byte = ' ';
  }
  return text;
}

std::string cell(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return text.empty() ? "-" : one_line(text);
  }
  const bool words = value.is_array() &&
                     std::all_of(value.begin(), value.end(),
                                 [](const Json& item) { return item.is_string(); });
  if (!words) return one_line(dump(value));
  std::string joined;
  for (const Json& item : value) {
    joined += (joined.empty() ? "" : ",") + one_line(item.get<std::string>());
  }
  return joined.empty() ? "-" : joined;
}

// "recipe.name" is the name inside the recipe; null where there is none.
Json look_up(const Json& item, const std::string& column) {
  const std::size_t dot = column.find('.');
  const std::string field = column.substr(0, dot);
  if (!item.is_object() || !item.contains(field)) return nullptr;
  return dot == std::string::npos ? item[field] : look_up(item[field], column.substr(dot + 1));
}

std::string header(std::string field) {
  field = field.substr(field.rfind('.') + 1);  // npos + 1 is 0: the whole
  for (char& letter : field) {
    letter = letter == '_' ? ' ' : static_cast<char>(std::toupper(letter));
  }
  return field;
}

std::string align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out += std::string(widths[i] + 2 - width_of(row[i]), ' ');
    }
    out += '\n';
  }
  return out;
}

// Whole code points, at most `most` of them.
std::string shortened(const std::string& text, std::size_t most) {
  if (width_of(text) <= most) return text;
  std::size_t end = 0;
  for (std::size_t seen = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U;
    if (begins && ++seen == most) break;
  }
  return text.substr(0, end) + "…";
}

std::string list_table(const Json& list, std::vector<std::string> columns,
                       std::size_t widest = std::string::npos) {
  const Json& items = list["items"];
  if (columns.empty() && !items.empty() && items.front().is_object()) {
    for (const auto& [field, ignored] : items.front().items()) columns.push_back(field);
  }
  std::vector<std::vector<std::string>> rows(1);
  for (const std::string& column : columns) rows.front().push_back(header(column));
  for (const Json& item : items) {
    std::vector<std::string> row;
    for (const std::string& column : columns) {
      row.push_back(shortened(cell(look_up(item, column)), widest));
    }
    if (columns.empty()) row.push_back(cell(item));
    rows.push_back(std::move(row));
  }
  std::string out = align(rows);
  const bool counted = list.contains("total") && list["total"].is_number_integer();
  if (items.empty()) {
    out += "(none)\n";
  } else if (counted && list["total"].get<std::size_t>() > items.size()) {
    out += "(" + std::to_string(items.size()) + " of " + dump(list["total"]) +
           "; --limit and --offset show others)\n";
  }
  return out;
}

std::string object_table(const Json& object) {
  std::vector<std::vector<std::string>> rows;
  std::string below;  // lists of objects as tables, texts of several lines as they are
  for (const auto& [field, value] : object.items()) {
    const bool lines =
        value.is_string() && value.get_ref<const std::string&>().find('\n') != std::string::npos;
    const bool objects = value.is_array() && !value.empty() &&
                         std::all_of(value.begin(), value.end(),
                                     [](const Json& item) { return item.is_object(); });
    if (objects) {
      below += "\n" + field + ":\n" + list_table(Json{{"items", value}}, {}, kNestedCell);
    } else if (lines) {
      below += "\n" + field + ":\n" + value.get<std::string>();
      if (!below.ends_with('\n')) below += '\n';
    } else {
      rows.push_back({field, cell(value)});
    }
  }
  return align(rows) + below;
}

bool plain_in_yaml(const std::string& text) {
  if (text.empty() || text.size() > 200) return false;
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/';
  };
  if (!letter(text.front())) return false;  // digits, dashes, dots may be numbers or dates
  for (const char c : text) {
    const bool fine = letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    if (!fine) return false;
  }
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (lower == word) return false;
  }
  return true;
}

// Strings that are not plain are written as JSON strings, which YAML reads as they are.
std::string yaml_scalar(const Json& value) {
  if (value.is_string() && plain_in_yaml(value.get_ref<const std::string&>())) {
    return value.get<std::string>();
  }
  return dump(value);  // also {} and []
}

void yaml(const Json& value, std::size_t indent, bool after_dash, std::string& out) {
  const std::string pad(indent, ' ');
  bool first = true;
  const bool object = value.is_object();
  for (const auto& [key, item] : value.items()) {
    out += first && after_dash ? "" : pad;
    out += object ? yaml_scalar(key) + ":" : "-";
    first = false;
    if (!item.is_structured() || item.empty()) {
      out += " " + yaml_scalar(item) + "\n";
    } else if (object) {
      out += "\n";
      yaml(item, indent + 2, false, out);
    } else {
      out += " ";
      yaml(item, indent + 2, true, out);
    }
  }
}
}  // namespace

std::string format_yaml(const Json& value) {
  if (!value.is_structured() || value.empty()) return yaml_scalar(value) + "\n";
  std::string out;
  yaml(value, 0, false, out);
  return out;
}

std::string format_table(const Json& value, const std::vector<std::string>& columns) {
  if (value.is_object() && value.contains("items") && value["items"].is_array()) {
    return list_table(value, columns);
  }
  if (value.is_object()) return object_table(value);
  return cell(value) + "\n";
}

std::string format(const Json& value, Output output, const std::vector<std::string>& columns) {
  switch (output) {
    case Output::json: return dump(value, 2) + "\n";
    case Output::yaml: return format_yaml(value);
    case Output::table: break;
  }
  return format_table(value, columns);
}

std::string format_error(const Error& error, Output output) {
  if (output == Output::table) {
    return "aima: " + one_line(error.message) + "\n";
  }
  Json body{{"code", error.code}, {"message", error.message}};
  if (!error.details.is_null()) body["details"] = error.details;
  return format(Json{{"error", std::move(body)}}, output, {});
}
}  // namespace aima::cli
