// Calls to the daemon: units, readiness, and the streamed answer of inference.chat.
#pragma once
#include <functional>
#include <string>

#include "daemon/base/error.h"
#include "daemon/cli/parse.h"

namespace aima::cli {

// Runs `unit` with `input`, waiting at most `deadline`. Errors: what the daemon answered; code
// "no_daemon" where none answers; "timeout"; "bad_answer" where something else listens there.
Result<Json> call_unit(const Globals& globals, const std::string& unit, const Json& input,
                       std::chrono::milliseconds deadline);

// GET of a path that is no unit; the body as JSON, whatever its status, which goes to `status`.
Result<Json> get_path(const Globals& globals, const std::string& path, int& status);

// inference.chat with a stream: `on_text` gets each piece of the answer as it comes. Returns the
// whole answer as one chat completion. An answer that ends before its last event is an error with
// code "cut". `deadline` bounds the whole answer.
Result<Json> stream_chat(const Globals& globals, const Json& input,
                         std::chrono::milliseconds deadline,
                         const std::function<void(const std::string&)>& on_text);

}  // namespace aima::cli
