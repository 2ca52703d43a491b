// `aima selftest`: the harness, another program, run on this very executable in a sandbox.
#pragma once
#include "daemon/cli/parse.h"

namespace aima::cli {

// Runs `aima-harness run` (or `list scenarios`) and waits for its end; SIGINT, SIGTERM, SIGHUP and
// SIGQUIT are passed on to it. Answers its exit status, 128 + n where signal n ended it. Its HOME and
// its runs live in a temporary folder, which is removed. Errors: "no_harness" where none is found or
// it cannot be run; "usage".
Result<int> run_selftest(const Invocation& invocation);

}  // namespace aima::cli
