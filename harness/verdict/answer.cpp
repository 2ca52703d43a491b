// The order of answers, and the exit status that a set of verdicts gives.
#include <algorithm>

#include <csignal>
#include <cstring>

#include "harness/verdict/verdict.h"

namespace harness {
namespace {

int weight(Answer answer) {
  switch (answer) {
    case Answer::pass:
      return 0;
    case Answer::inconclusive:
      return 1;
    case Answer::error:
      return 2;
    case Answer::fail:
      return 3;
  }
  return 2;
}

int signal_number(const std::string& name) {
  const std::string plain = name.starts_with("SIG") ? name.substr(3) : name;
  for (int number = 1; number < NSIG; ++number) {
    const char* abbreviation = sigabbrev_np(number);
    if (abbreviation != nullptr && plain == abbreviation) return number;
  }
  return SIGINT;
}

}  // namespace

const char* name_of(Answer answer) {
  switch (answer) {
    case Answer::pass:
      return "PASS";
    case Answer::inconclusive:
      return "INCONCLUSIVE";
    case Answer::fail:
      return "FAIL";
    case Answer::error:
      return "ERROR";
  }
  return "ERROR";
}

Answer worst(Answer one, Answer other) { return weight(one) >= weight(other) ? one : other; }

int exit_status(const std::vector<Verdict>& verdicts, bool allow_skip) {
  bool error = false, leftovers = false, inconclusive = false;
  int signal = 0;
  for (const auto& verdict : verdicts) {
    if (verdict.answer == Answer::fail) return 1;
    error = error || verdict.answer == Answer::error;
    leftovers = leftovers || !verdict.harness_leftovers.empty();
    if (!verdict.interrupted.empty() && signal == 0) signal = signal_number(verdict.interrupted);
    if (verdict.answer == Answer::inconclusive) {
      inconclusive = inconclusive || !(verdict.skipped && allow_skip);
    }
  }
  if (error) return 3;
  if (leftovers) return 6;
  if (signal != 0) return 128 + signal;
  return inconclusive ? 2 : 0;
}

}  // namespace harness
