// jq 1.6's tokens (its lexer.l), with their places.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario/expression_text.h"

namespace harness {

struct Token {
  enum class Kind {
    name,      // length, and, if, def
    field,     // .name or ."name": text is the name
    variable,  // $name: text is the name
    number,
    string,    // without interpolation: text is what stands between the quotes
    string_begin,  // with interpolation: begin, tokens between `\(` and `)`, end
    string_end,
    format,    // @base64
    symbol,    // operators and brackets; `\(` and its `)` are "(" and ")"
  };
  Kind kind = Kind::symbol;
  std::string text;
  std::size_t begin = 0, end = 0;

  bool is(std::string_view symbol) const { return kind == Kind::symbol && text == symbol; }
  bool is_name(std::string_view name) const { return kind == Kind::name && text == name; }
};

struct Tokens {
  std::vector<Token> all;
  std::vector<TextProblem> problems;
};

Tokens tokenize(std::string_view text);
}  // namespace harness
