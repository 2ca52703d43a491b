// Reads an expression's tokens for what they say: refused functions, variables, document paths.
#include "harness/scenario/expression_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "harness/scenario/expression_tokens.h"

namespace harness {
namespace {

using Kind = Token::Kind;

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_keyword(std::string_view word) {
  return is_one_of(word, {"and", "or", "if", "then", "elif", "else", "end", "as", "def", "reduce",
                          "foreach", "try", "catch", "label", "import", "include", "__loc__"});
}

// Functions that would make the same history judge differently tomorrow or elsewhere, or that reach
// outside the document.
std::string why_refused(std::string_view name) {
  if (is_one_of(name, {"now", "localtime", "strflocaltime", "mktime", "strptime"})) {
    return "a stored run must judge the same tomorrow and in another time zone; times of steps are "
           "in $at.NAME.begin_ms and $elapsed_ms";
  }
  if (is_one_of(name, {"env", "get_search_list"})) {
    return "expressions do not see the environment; give a value with `vars:` or --set";
  }
  if (is_one_of(name, {"input", "inputs", "input_filename", "input_line_number", "debug", "stderr",
                       "halt", "halt_error", "modulemeta"})) {
    return "an expression sees one document and the bound $names, and has no other effect";
  }
  return "";
}

class Reader {
 public:
  explicit Reader(const std::vector<Token>& tokens) : tokens_(tokens) {}

  ExpressionText read() {
    scan_flags();
    frames_.push_back({});
    for (at_ = 0; at_ < tokens_.size(); ++at_) take();
    result_.looks_at_document = looks_at_document_;
    if (opaque_) result_.paths.clear();
    read_emptiness();
    read_compared();
    return std::move(result_);
  }

 private:
  struct Frame {
    std::string bracket;
    bool root = true;         // `.` is the document here
    bool pattern = false;     // between `as` and its pipe or parenthesis
  };

  const Token* token(std::size_t index) const {
    return index < tokens_.size() ? &tokens_[index] : nullptr;
  }
  bool symbol_at(std::size_t index, std::string_view text) const {
    return index < tokens_.size() && tokens_[index].is(text);
  }
  const Token* before() const { return at_ == 0 ? nullptr : &tokens_[at_ - 1]; }
  Frame& frame() { return frames_.back(); }

  // Definitions, assignments and catch change what `.` is in ways not followed here.
  void scan_flags() {
    for (const auto& token : tokens_) {
      if (token.is_name("def") || token.is_name("catch")) opaque_ = true;
      if (token.kind == Kind::symbol &&
          is_one_of(token.text, {"=", "|=", "+=", "-=", "*=", "/=", "%=", "//="})) {
        opaque_ = true;
      }
    }
    looks_at_document_ = opaque_;
  }

  bool ends_term(const Token* token) const {
    if (token == nullptr) return false;
    switch (token->kind) {
      case Kind::name: return !is_keyword(token->text) || token->text == "end";
      case Kind::symbol: return is_one_of(token->text, {")", "]", "}", "?", ".", ".."});
      default: return true;
    }
  }

  void take() {
    const Token& current = tokens_[at_];
    switch (current.kind) {
      case Kind::name: return take_name(current);
      case Kind::variable: return take_variable(current);
      case Kind::field: return take_path();
      case Kind::format: return take_format(current);
      case Kind::symbol: return take_symbol(current);
      default: return;
    }
  }

  bool is_object_key() const {
    if (frames_.back().bracket != "{" || at_ == 0) return false;
    const Token& last = tokens_[at_ - 1];
    if (!last.is("{") && !last.is(",")) return false;
    return symbol_at(at_ + 1, ":") || symbol_at(at_ + 1, ",") || symbol_at(at_ + 1, "}");
  }

  void take_name(const Token& current) {
    if (is_object_key()) {
      if (!symbol_at(at_ + 1, ":") && frame().root) looks_at_document_ = true;  // {name}
      return;
    }
    if (current.text == "as") frame().pattern = true;
    if (current.text == "import" || current.text == "include") {
      problem(current, fmt::format("`{}` is refused", current.text),
              "expressions load no files: a stored run must judge the same elsewhere");
      return;
    }
    if (current.text.starts_with("__") && current.text != "__loc__") {
      problem(current, fmt::format("names that begin with __ are ours: `{}`", current.text), "");
      return;
    }
    if (const std::string why = why_refused(current.text); !why.empty()) {
      problem(current, fmt::format("`{}` is refused", current.text), why);
      return;
    }
    const bool plain = is_keyword(current.text) ||
                       is_one_of(current.text, {"true", "false", "null", "not", "empty", "error"});
    if (!plain && frame().root) looks_at_document_ = true;
    if (before() != nullptr && before()->is_name("def")) in_parameters_ = symbol_at(at_ + 1, "(");
  }

  void take_variable(const Token& current) {
    if (current.text == "__loc__") return;
    if (current.text == "ENV" || current.text.starts_with("__")) {
      problem(current, fmt::format("${} is refused", current.text), why_refused("env"));
      return;
    }
    if (frame().pattern || in_parameters_ || in_pattern_bracket()) {
      result_.local.push_back(current.text);
      return;
    }
    VariableUse use{current.text, current.begin, ""};
    const Token* next = token(at_ + 1);
    if (next != nullptr && next->kind == Kind::field) use.field = next->text;
    result_.variables.push_back(std::move(use));
  }

  bool in_pattern_bracket() const {
    return std::any_of(frames_.begin(), frames_.end(), [](const Frame& f) {
      return f.pattern;
    }) && frames_.back().bracket != "(";
  }

  void take_format(const Token& current) {
    if (is_one_of(current.text, {"text", "json", "html", "uri", "csv", "tsv", "sh", "base64",
                                 "base64d"})) {
      return;
    }
    problem(current, fmt::format("jq knows no format `@{}`", current.text),
            "it knows @text @json @html @uri @csv @tsv @sh @base64 @base64d");
  }

  void take_symbol(const Token& current) {
    const std::string& text = current.text;
    if (text == "." || text == "..") {
      if (frame().root) looks_at_document_ = true;
      if (text == "." && !ends_term(before())) take_path();
      return;
    }
    if (text == "(" || text == "[" || text == "{") return enter(text);
    if (text == ")" || text == "]" || text == "}") {
      if (frames_.size() > 1) frames_.pop_back();
      if (text == ")") in_parameters_ = false;
      return;
    }
    if (text == "|") {
      if (frame().pattern) {
        frame().pattern = false;
      } else {
        frame().root = false;
      }
    }
  }

  void enter(const std::string& bracket) {
    Frame inner;
    inner.bracket = bracket;
    inner.root = frame().root && !frame().pattern;
    if (bracket == "(" && frame().pattern && ends_term(before())) {
      frame().pattern = false;  // reduce … as $x ( … ; … )
      inner.root = false;
    } else if (bracket == "(" && before() != nullptr && before()->kind == Kind::name &&
               !is_keyword(before()->text)) {
      inner.root = false;  // arguments: most are evaluated over something else
    }
    frames_.push_back(inner);
  }

  // `.a`, `.a.b[0]`, `.["a"]`, `.[0]` from the document; stops where the path stops being plain.
  void take_path() {
    if (ends_term(before()) || !frame().root || frame().pattern) return;
    looks_at_document_ = true;
    DocumentPath path;
    path.begin = tokens_[at_].begin;
    std::size_t next = at_;
    if (tokens_[at_].kind == Kind::field) path.steps.emplace_back(tokens_[at_].text);
    path.end = tokens_[at_].end;
    ++next;
    while (next < tokens_.size()) {
      const Token& current = tokens_[next];
      if (current.kind == Kind::field) {
        path.steps.emplace_back(current.text);
        path.end = current.end;
        ++next;
        continue;
      }
      if (!add_index(path, next)) break;
    }
    if (path.steps.empty()) return;
    path.guarded = symbol_at(next, "?") || symbol_at(next, "//") || symbol_at(next, "?//");
    result_.paths.push_back(std::move(path));
    at_ = next - 1;
  }

  bool add_index(DocumentPath& path, std::size_t& next) {
    if (!symbol_at(next, "[") || !symbol_at(next + 2, "]")) return false;
    const Token& inner = tokens_[next + 1];
    if (inner.kind == Kind::string) {
      path.steps.emplace_back(inner.text);
    } else if (inner.kind == Kind::number) {
      std::size_t index = 0;
      const char* end = inner.text.data() + inner.text.size();
      if (std::from_chars(inner.text.data(), end, index).ptr != end) return false;
      path.steps.emplace_back(index);
    } else {
      return false;
    }
    path.end = tokens_[next + 2].end;
    next += 3;
    return true;
  }

  void read_emptiness() {
    std::size_t i = 0;
    while (symbol_at(i, "(")) ++i;
    if (symbol_at(i, ".") && symbol_at(i + 1, "|")) i += 2;
    const Token* first = token(i);
    if (first == nullptr) return;
    const bool compares = symbol_at(i + 1, "==") || symbol_at(i + 1, "!=") || symbol_at(i + 1, "<") ||
                          symbol_at(i + 1, "<=") || symbol_at(i + 1, ">") || symbol_at(i + 1, ">=");
    if (first->is_name("length") && compares) result_.asks_for_emptiness = true;
    if (first->is(".") && compares && symbol_at(i + 2, "[") && symbol_at(i + 3, "]")) {
      result_.asks_for_emptiness = true;
    }
    if (first->is_name("isempty") && symbol_at(i + 1, "(") && symbol_at(i + 2, ".") &&
        symbol_at(i + 3, "[") && symbol_at(i + 4, "]") && symbol_at(i + 5, ")")) {
      result_.asks_for_emptiness = true;
    }
  }

  bool literal_empty_at(std::size_t index) const {
    return (symbol_at(index, "[") && symbol_at(index + 1, "]")) ||
           (symbol_at(index, "{") && symbol_at(index + 1, "}"));
  }

  // `… == $name` and `$name == …`; a name that is also compared with [] or {} itself is left out.
  void read_compared() {
    std::set<std::string> names, said_empty;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].kind != Kind::variable) continue;
      std::size_t before = i;
      while (before > 0 && symbol_at(before - 1, "(")) --before;
      const bool left = symbol_at(i + 1, "==");
      const bool right = before > 0 && symbol_at(before - 1, "==");
      const Token* next = token(i + 1);
      if (next != nullptr && next->kind == Kind::field) continue;
      if (left && literal_empty_at(i + 2)) said_empty.insert(tokens_[i].text);
      if (right && before > 2 && literal_empty_at(before - 3)) said_empty.insert(tokens_[i].text);
      if (left || right) names.insert(tokens_[i].text);
    }
    for (const auto& name : names) {
      if (!said_empty.contains(name)) result_.compared.push_back(name);
    }
  }

  void problem(const Token& where, std::string message, std::string hint) {
    result_.problems.push_back({where.begin, std::move(message), std::move(hint)});
  }

  const std::vector<Token>& tokens_;
  std::size_t at_ = 0;
  std::vector<Frame> frames_;
  bool opaque_ = false;
  bool looks_at_document_ = false;
  bool in_parameters_ = false;
  ExpressionText result_;
};

// A JSON string for use inside jq program text.
std::string quoted(const std::string& written) {
  return '"' + written + '"';  // `written` kept its escapes as they stood between quotes
}
}  // namespace

std::string to_string(const DocumentPath& path) {
  std::string text;
  for (const auto& step : path.steps) {
    if (const auto* index = std::get_if<std::size_t>(&step)) {
      text += fmt::format("{}[{}]", text.empty() ? "." : "", *index);
    } else {
      text += "." + std::get<std::string>(step);
    }
  }
  return text;
}

ExpressionText read_expression(std::string_view text) {
  Tokens tokens = tokenize(text);
  ExpressionText result;
  if (tokens.problems.empty()) {
    if (tokens.all.empty()) {
      result.problems.push_back({0, "the expression is empty", ""});
      return result;
    }
    return Reader(tokens.all).read();
  }
  result.problems = std::move(tokens.problems);
  return result;
}

std::string strict_expression(std::string_view text, const ExpressionText& read) {
  std::string strict;
  std::size_t done = 0;
  for (const auto& path : read.paths) {
    if (path.guarded) continue;
    strict += text.substr(done, path.begin - done);
    strict += "(__at([";
    for (std::size_t i = 0; i < path.steps.size(); ++i) {
      if (i > 0) strict += ",";
      const auto* index = std::get_if<std::size_t>(&path.steps[i]);
      strict += index ? std::to_string(*index) : quoted(std::get<std::string>(path.steps[i]));
    }
    strict += "]))";
    done = path.end;
  }
  return strict + std::string(text.substr(done));
}
}  // namespace harness
