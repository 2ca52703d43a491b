// argv to a value that says what to do. Starts nothing, prints nothing; reads --file if given.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/cli/commands.h"

namespace aima::cli {

enum class Output { table, json, yaml };

struct Globals {
  Output output = Output::table;
  std::string server = "http://127.0.0.1:9090";      // --server, AIMA_SERVER
  bool server_given = false;                         // one of the two was there
  std::string api_key;                               // --api-key, AIMA_API_KEY; empty: none
  std::optional<std::chrono::milliseconds> timeout;  // --timeout; absent: the command's own
  std::string idempotency_key;  // --idempotency-key; empty: none. Only what HTTP takes as one
};

struct Invocation {
  Globals globals;
  const Command* command = nullptr;  // null: print `help` and succeed
  std::string unit;                  // "model.create"; empty for commands that call none
  Json input = Json::object();       // of the unit; for `start`, its flags by field name
  std::string help;
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// A refusal is a usage error: code "usage", the message names the word and what would be right.
// `globals` is filled as far as it was understood, so that the refusal can be shown as asked for.
Result<Invocation> parse(const std::vector<std::string>& words, const Environment& environment,
                         Globals& globals);

// "30" and "30s", "500ms", "5m", "2h" → that long; nothing else, and not over a year.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace aima::cli
