// A SAX handler in front of the JSON library's own document builder.
#include "daemon/gateway/json_body.h"

#include <set>
#include <string>
#include <vector>

namespace aima {
namespace {

using Builder = nlohmann::detail::json_sax_dom_parser<Json>;

class StrictBuilder : public Builder {
 public:
  explicit StrictBuilder(Json& document) : Builder(document, false) {}
  std::string refusal;       // set: why the text is refused though it may be JSON
  std::size_t error_at = 0;  // bytes read when the syntax error was seen
  std::string error_text;

  bool start_object(std::size_t elements) {
    keys_.emplace_back();
    return !too_deep() && Builder::start_object(elements);
  }
  bool end_object() {
    keys_.pop_back();
    return Builder::end_object();
  }
  bool start_array(std::size_t elements) {
    keys_.emplace_back();
    return !too_deep() && Builder::start_array(elements);
  }
  bool end_array() {
    keys_.pop_back();
    return Builder::end_array();
  }
  bool key(std::string& name) {
    if (!keys_.back().insert(name).second) {
      refusal = "the key \"" + name + "\" is given twice in one object; give it once";
      return false;
    }
    return Builder::key(name);
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) {
    error_at = position;
    error_text = error.what();
    return false;
  }

 private:
  bool too_deep() {
    if (keys_.size() <= max_json_depth) return false;
    refusal = "the JSON body is nested deeper than " + std::to_string(max_json_depth) + " levels";
    return true;
  }
  std::vector<std::set<std::string>> keys_;
};

// "line 2, column 7" of a byte position, 1-based.
std::string position_in(std::string_view text, std::size_t position) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i + 1 < position && i < text.size(); ++i) {
    column = text[i] == '\n' ? 1 : column + 1;
    line += text[i] == '\n' ? 1 : 0;
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// The library's text ends in the useful half: "...: syntax error while parsing value - <this>".
std::string cause_of(const std::string& what) {
  const auto dash = what.find(" - ");
  return dash == std::string::npos ? what : what.substr(dash + 3);
}

}  // namespace

Result<Json> parse_json_object(std::string_view text) {
  Json document;
  StrictBuilder builder(document);
  const bool read = Json::sax_parse(text.begin(), text.end(), &builder);
  if (!builder.refusal.empty()) return fail(400, "invalid_json", builder.refusal);
  if (!read) {
    return fail(400, "invalid_json",
                "the request body is not valid JSON at " + position_in(text, builder.error_at) +
                    ": " + cause_of(builder.error_text));
  }
  if (!document.is_object()) {
    return fail(
        400, "invalid_input",
        std::string("the request body must be a JSON object, not a JSON ") + document.type_name());
  }
  return document;
}

}  // namespace aima
