// The lexer. Brackets are matched here, because expressions are compiled together in one program:
// one that closes another's bracket must never get there.
#include "harness/scenario/expression_tokens.h"

#include <fmt/format.h>

#include <array>

namespace harness {
namespace {

constexpr std::size_t most_nesting = 100;

bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool digit(char c) { return c >= '0' && c <= '9'; }
bool in_name(char c) { return starts_name(c) || digit(c); }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Tokens run() {
    while (at_ < text_.size() && result_.problems.empty()) step();
    if (result_.problems.empty() && !open_.empty()) {
      const Open& last = open_.back();
      problem(last.begin, last.what == '"' ? "this string is never closed"
                                           : fmt::format("`{}` is never closed", last.what));
    }
    return std::move(result_);
  }

 private:
  struct Open {
    char what;          // ( [ { or " for a string being interpolated
    std::size_t begin;
    bool interpolation = false;  // this ( was opened by \( and its ) goes back into the string
  };

  void problem(std::size_t offset, std::string message, std::string hint = "") {
    result_.problems.push_back({offset, std::move(message), std::move(hint)});
  }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void add(Token::Kind kind, std::string text, std::size_t begin) {
    result_.all.push_back({kind, std::move(text), begin, at_});
  }

  std::string name() {
    const std::size_t begin = at_;
    while (in_name(peek()) || (peek() == ':' && peek(1) == ':' && starts_name(peek(2)))) {
      at_ += peek() == ':' ? 2 : 1;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  void step() {
    const std::size_t begin = at_;
    const char c = peek();
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at_;
    } else if (c == '#') {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else if (c == '"') {
      ++at_;
      string(begin);
    } else if (starts_name(c)) {
      std::string word = name();
      add(Token::Kind::name, std::move(word), begin);
    } else if (digit(c) || (c == '.' && digit(peek(1)))) {
      number();
    } else if (c == '.' && starts_name(peek(1))) {
      ++at_;
      std::string word;
      while (in_name(peek())) word += text_[at_++];
      add(Token::Kind::field, std::move(word), begin);
    } else if (c == '.' && peek(1) == '"') {
      quoted_field(begin);
    } else if (c == '$') {
      variable(begin);
    } else if (c == '@' && starts_name(peek(1))) {
      ++at_;
      std::string word = name();
      add(Token::Kind::format, std::move(word), begin);
    } else {
      symbol(begin);
    }
  }

  void quoted_field(std::size_t begin) {
    ++at_;
    const std::size_t before = result_.all.size();
    const std::size_t quote = at_++;
    string(quote);
    if (result_.problems.empty() && result_.all.size() == before + 1 &&
        result_.all.back().kind == Token::Kind::string) {
      result_.all.back().kind = Token::Kind::field;
      result_.all.back().begin = begin;
    }
  }

  void variable(std::size_t begin) {
    ++at_;
    if (starts_name(peek())) {
      std::string word = name();
      add(Token::Kind::variable, std::move(word), begin);
    } else if (peek() == '{') {
      const std::size_t close = text_.find('}', at_);
      const auto inner = text_.substr(at_ + 1, close == std::string_view::npos ? 0 : close - at_ - 1);
      problem(begin, "${…} is for texts, not for jq", fmt::format("write ${}", inner));
    } else {
      problem(begin, "`$` must be followed by a name");
    }
  }

  void number() {
    const std::size_t begin = at_;
    while (digit(peek()) || peek() == '.') ++at_;
    if (peek() == 'e' || peek() == 'E') {
      const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
      if (digit(peek(sign))) {
        at_ += sign;
        while (digit(peek())) ++at_;
      }
    }
    add(Token::Kind::number, std::string(text_.substr(begin, at_ - begin)), begin);
  }

  // From behind the opening quote, or from behind the `)` of an interpolation.
  void string(std::size_t begin, bool resumed = false) {
    std::string content;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\' && peek(1) == '(') {
        if (!resumed) {
          add(Token::Kind::string_begin, "", begin);
          open('"', begin);
        }
        open('(', at_, true);
        at_ += 2;
        result_.all.push_back({Token::Kind::symbol, "(", at_ - 2, at_});
        return;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) content += text_[at_++];
      content += text_[at_++];
    }
    if (at_ >= text_.size()) {
      problem(resumed ? open_.back().begin : begin, "this string is never closed");
      return;
    }
    ++at_;
    if (resumed) {
      open_.pop_back();
      add(Token::Kind::string_end, "", at_ - 1);
    } else {
      add(Token::Kind::string, std::move(content), begin);
    }
  }

  void open(char what, std::size_t begin, bool interpolation = false) {
    open_.push_back({what, begin, interpolation});
    if (open_.size() > most_nesting) {
      problem(begin, fmt::format("nested deeper than {} brackets", most_nesting));
    }
  }

  void close(char what, std::size_t begin) {
    const char wanted = what == ')' ? '(' : what == ']' ? '[' : '{';
    if (open_.empty()) {
      problem(begin, fmt::format("`{}` closes nothing", what));
      return;
    }
    if (open_.back().what != wanted) {
      const char opener = open_.back().what;
      const char closer = opener == '(' ? ')' : opener == '[' ? ']' : '}';
      problem(begin, fmt::format("`{}` where `{}` is still open", what, opener),
              fmt::format("close it with `{}` first", closer));
      return;
    }
    const bool back_into_string = open_.back().interpolation;
    open_.pop_back();
    ++at_;
    add(Token::Kind::symbol, std::string(1, what), begin);
    if (back_into_string) string(open_.back().begin, true);
  }

  void symbol(std::size_t begin) {
    static constexpr std::array<std::string_view, 16> longer{
        "?//=", "?//", "//=", "|=", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=", "//", "..",
        "?"};
    const char c = peek();
    if (c == '(' || c == '[' || c == '{') {
      open(c, begin);
      ++at_;
      add(Token::Kind::symbol, std::string(1, c), begin);
      return;
    }
    if (c == ')' || c == ']' || c == '}') return close(c, begin);
    for (auto candidate : longer) {
      if (text_.substr(at_).starts_with(candidate)) {
        at_ += candidate.size();
        add(Token::Kind::symbol, std::string(candidate), begin);
        return;
      }
    }
    if (std::string_view(".|,:;=<>+-*/%").find(c) != std::string_view::npos) {
      ++at_;
      add(Token::Kind::symbol, std::string(1, c), begin);
      return;
    }
    unexpected(begin, c);
  }

  void unexpected(std::size_t begin, char c) {
    if (c == '\'') return problem(begin, "`'` has no meaning in jq", "jq strings need double quotes");
    if (c == '&') return problem(begin, "`&` has no meaning in jq", "jq writes `and`");
    if (c == '!') return problem(begin, "`!` has no meaning in jq", "jq writes `… | not`, or `!=`");
    std::size_t end = begin + 1;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) ++end;
    problem(begin, fmt::format("`{}` has no meaning in jq", text_.substr(begin, end - begin)));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Open> open_;
  Tokens result_;
};
}  // namespace

Tokens tokenize(std::string_view text) { return Lexer(text).run(); }
}  // namespace harness
