// The chain of a history: each line carries a SHA-256 over the line before and itself, so that a line
// that is edited, removed, inserted, swapped or written twice shows. It shows careless and accidental
// edits; who recomputes every hash is not caught, unless the head was kept elsewhere (every report
// prints it). Bytes are hashed, not values: a line can be verified without reading JSON.
//
//   body   the line as JSON, {"n":…,"t_us":…,"event":…,…}, without the hash and the line break
//   hash   sha256( hash of the line before, or chain_start + "\n" + body ), 64 hexadecimal digits
//   line   body without its last "}", then ,"hash":"HASH"}
//   head   the hash of the last line
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace harness {

// Before the first line; names the format and its version.
inline constexpr std::string_view chain_start = "aima-harness history 1";

// The hash of a line with this body after `before`.
std::string chain_hash(std::string_view before, std::string_view body);
// The line of a body, a JSON object that is not empty; `head` becomes its hash.
std::string chained_line(std::string body, std::string& head);

struct ChainedLine {
  std::string body;
  std::string hash;
};
// Takes a line apart, without judging it; nothing where it carries no hash.
std::optional<ChainedLine> split_chained(std::string_view line);
}  // namespace harness
