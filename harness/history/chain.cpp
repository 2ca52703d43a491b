#include "harness/history/chain.h"

#include <algorithm>

#include "harness/history/digest.h"

namespace harness {
namespace {

constexpr std::string_view hash_opens = ",\"hash\":\"";
constexpr std::string_view hash_closes = "\"}";
constexpr std::size_t hash_digits = 64;

}  // namespace

std::string chain_hash(std::string_view before, std::string_view body) {
  std::string text;
  text.reserve(before.size() + 1 + body.size());
  text.append(before).append("\n").append(body);
  return sha256(text);
}

std::string chained_line(std::string body, std::string& head) {
  head = chain_hash(head, body);
  body.pop_back();
  return body.append(hash_opens).append(head).append(hash_closes);
}

std::optional<ChainedLine> split_chained(std::string_view line) {
  const std::size_t tail = hash_opens.size() + hash_digits + hash_closes.size();
  if (line.size() < tail || !line.ends_with(hash_closes)) return std::nullopt;
  const std::size_t at = line.size() - tail;
  const std::string_view hash = line.substr(at + hash_opens.size(), hash_digits);
  const bool digits = std::all_of(hash.begin(), hash.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (line.substr(at, hash_opens.size()) != hash_opens || !digits) return std::nullopt;
  return ChainedLine{std::string(line.substr(0, at)) + "}", std::string(hash)};
}

}  // namespace harness
