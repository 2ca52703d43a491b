// verdict.json: a verdict that shows when it was edited.
#include <fmt/format.h>

#include "harness/base/read_json.h"
#include "harness/history/chain.h"
#include "harness/verdict/record.h"
#include "harness/verdict/verdict.h"

namespace harness {
namespace {

constexpr std::string_view body_closes = "\n}\n";
constexpr std::string_view seal_opens = ",\n \"seal\": \"";
constexpr std::string_view seal_closes = "\"\n}\n";
constexpr std::size_t seal_digits = 64;

std::optional<Difference> difference(const std::string& at, const Json& one, const Json& other) {
  if (one == other) return std::nullopt;
  if (one.is_object() && other.is_object()) {
    for (const auto& [key, value] : one.items()) {
      const auto found = other.find(key);
      if (found == other.end()) return Difference{at + "/" + key, value, nullptr};
      if (auto seen = difference(at + "/" + key, value, *found)) return seen;
    }
    for (const auto& [key, value] : other.items()) {
      if (!one.contains(key)) return Difference{at + "/" + key, nullptr, value};
    }
    return std::nullopt;  // the same, in another order
  }
  if (one.is_array() && other.is_array() && one.size() == other.size()) {
    for (std::size_t index = 0; index < one.size(); ++index) {
      if (auto seen = difference(fmt::format("{}/{}", at, index), one[index], other[index])) {
        return seen;
      }
    }
  }
  return Difference{at, one, other};
}

}  // namespace

std::string sealed_text(const Verdict& verdict) {
  std::string body = to_json(verdict).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::string seal = chain_hash(verdict.head, body);
  body.resize(body.size() - body_closes.size());
  return body.append(seal_opens).append(seal).append(seal_closes);
}

Result<Verdict> verdict_from_sealed(const std::string& text) {
  // As deep as a history's line, and as many values as a whole history has.
  const Json json = read_json(text, {320, 8'000'000}).value;
  auto verdict = verdict_from_json(json);
  if (!verdict) return verdict;
  const auto edited = [](const char* why) {
    return fail(ErrorKind::invalid, fmt::format("verdict.json was edited: {}", why));
  };
  const std::size_t tail = seal_opens.size() + seal_digits + seal_closes.size();
  if (text.size() < tail || !text.ends_with(seal_closes)) return edited("it carries no seal");
  const std::size_t at = text.size() - tail;
  if (text.compare(at, seal_opens.size(), seal_opens) != 0) return edited("it carries no seal");
  const std::string body = text.substr(0, at).append(body_closes);
  if (text.compare(at + seal_opens.size(), seal_digits, chain_hash(verdict->head, body)) != 0) {
    return edited("its seal does not fit its bytes");
  }
  return verdict;
}

std::optional<Difference> difference_between(const Json& one, const Json& other) {
  return difference("", one, other);
}

std::string first_difference(const Json& one, const Json& other) {
  const auto found = difference_between(one, other);
  if (!found) return {};
  return fmt::format("{}: {}, not {}", found->at, compact(found->one, 120), compact(found->other, 120));
}

}  // namespace harness
