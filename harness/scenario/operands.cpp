// Cuts an expression at its top into what is compared, so that a report can show the values that
// decided instead of the answer alone.
#include <algorithm>
#include <array>

#include "harness/scenario/expression_text.h"
#include "harness/scenario/expression_tokens.h"

namespace harness {
namespace {

constexpr std::size_t most_operands = 3;
constexpr std::size_t most_operand_text = 60;

bool opens(const Token& token) {
  return token.is("(") || token.is("[") || token.is("{") || token.is_name("if") ||
         token.kind == Token::Kind::string_begin;
}

bool closes(const Token& token) {
  return token.is(")") || token.is("]") || token.is("}") || token.is_name("end") ||
         token.kind == Token::Kind::string_end;
}

bool compares(const Token& token) {
  constexpr std::array symbols = {"==", "!=", "<", "<=", ">", ">="};
  return std::any_of(symbols.begin(), symbols.end(),
                     [&](const char* symbol) { return token.is(symbol); });
}

// What is cut in ways not followed here.
bool is_beyond(const Token& token) {
  constexpr std::array words = {"def", "reduce", "foreach", "try", "catch", "label"};
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return token.is_name(word); });
}

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\n");
  if (begin == text.npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1));
}

bool is_literal(const std::vector<Token>& tokens, std::size_t begin, std::size_t end) {
  return std::all_of(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                     tokens.begin() + static_cast<std::ptrdiff_t>(end), [](const Token& token) {
                       return token.kind == Token::Kind::number ||
                              token.kind == Token::Kind::string || token.is_name("true") ||
                              token.is_name("false") || token.is_name("null") || token.is("-");
                     });
}

// One clause between `and` and `or`: its compared side that is not written out.
void add_operand(std::string_view text, const std::vector<Token>& tokens, std::size_t begin,
                 std::size_t end, std::size_t sign, std::size_t prefix,
                 std::vector<Operand>& operands) {
  if (sign <= begin || sign + 1 >= end || operands.size() >= most_operands) return;
  const bool right = is_literal(tokens, begin, sign);
  const std::size_t first = right ? sign + 1 : begin;
  const std::size_t last = right ? end : sign;
  if (is_literal(tokens, first, last)) return;
  const std::string side =
      trimmed(text.substr(tokens[first].begin, tokens[last - 1].end - tokens[first].begin));
  Operand operand{side, side};
  if (prefix > 0) {
    operand.program = trimmed(text.substr(0, prefix)) + " | " + side;
    operand.shown = operand.program.size() <= most_operand_text ? operand.program : "… | " + side;
  }
  operands.push_back(std::move(operand));
}

}  // namespace

std::vector<Operand> operands_of(std::string_view text) {
  const Tokens read = tokenize(text);
  const auto& tokens = read.all;
  if (!read.problems.empty() || std::any_of(tokens.begin(), tokens.end(), is_beyond)) return {};
  // The last pipe at the top binds loosest: what stands before it leads to every clause.
  std::size_t begin = 0, prefix = 0;
  int depth = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (opens(tokens[i])) ++depth;
    if (closes(tokens[i])) --depth;
    if (depth != 0) continue;
    if (tokens[i].is(",")) return {};
    if (tokens[i].is("|")) {
      begin = i + 1;
      prefix = tokens[i].begin;
    }
  }
  std::vector<Operand> operands;
  std::size_t sign = 0;
  depth = 0;
  for (std::size_t i = begin; i <= tokens.size(); ++i) {
    const bool end = i == tokens.size();
    if (!end && opens(tokens[i])) ++depth;
    if (!end && closes(tokens[i])) --depth;
    if (!end && depth != 0) continue;
    if (!end && compares(tokens[i])) sign = i;
    if (end || tokens[i].is_name("and") || tokens[i].is_name("or")) {
      add_operand(text, tokens, begin, i, sign, prefix, operands);
      begin = i + 1;
      sign = 0;
    }
  }
  return operands;
}
}  // namespace harness
