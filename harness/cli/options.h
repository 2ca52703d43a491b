// argv → command → exit status. The only place that knows CLI11.
#pragma once
#include <iosfwd>

#include "harness/run/interrupts.h"  // main() makes one before any thread: it needs no more of run

namespace harness {

// 4 for a command line that cannot be understood; --help and --version answer 0.
int run_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
                     const Interrupts& interrupts);
}  // namespace harness
