// aima-harness: argv → command → exit status.
#include <iostream>

#include "harness/cli/options.h"

int main(int argc, char** argv) {
  const harness::Interrupts interrupts;  // before any thread: they inherit the blocked signals
  return harness::run_command_line(argc, argv, std::cout, std::cerr, interrupts);
}
