// The daemon's life from the first log line to the last: start-up, serving, drain, exit status.
#pragma once
#include "daemon/config/start_options.h"

namespace aima {

// Runs the daemon in the foreground and returns its exit status: 0 clean, 64 a flag's value,
// 69 address in use or provider unavailable, 74 store, 75 the drain ran out of time, 78 config.
// What went wrong has been said on stderr.
int run_start(const StartOptions& options);

}  // namespace aima
