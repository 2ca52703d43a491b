// Names of signals, and what an exit is demanded to be.
#include <fmt/format.h>
#include <signal.h>
#include <string.h>

#include "harness/run/daemon_control.h"

namespace harness {

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name ? name : std::to_string(number);
}

std::optional<int> signal_number(const std::string& name) {
  const std::string bare = name.starts_with("SIG") ? name.substr(3) : name;
  for (int number = 1; number < 32; ++number) {
    if (bare == signal_name(number) || bare == std::to_string(number)) return number;
  }
  return std::nullopt;
}

Json exit_json(const ExitOutcome& outcome) {
  if (const auto* exited = std::get_if<Exited>(&outcome)) return {{"code", exited->code}};
  const auto& signalled = std::get<Signalled>(outcome);
  return {{"signal", signal_name(signalled.signal)}, {"core", signalled.core}};
}

bool ExitDemand::met_by(const ExitOutcome& outcome) const {
  if (const auto* exited = std::get_if<Exited>(&outcome)) {
    return !signal && (!code || *code == exited->code);
  }
  return !code && (!signal || *signal == std::get<Signalled>(outcome).signal);
}

std::string ExitDemand::text() const {
  if (code) return fmt::format("exit {}", *code);
  if (signal) return "SIG" + signal_name(*signal);
  return "any exit";
}

Result<ExitDemand> exit_demand(const Json& value) {
  ExitDemand demand;
  const auto refuse = [&] {
    return fail(ErrorKind::invalid,
                fmt::format("`{}` is no exit: write 0, KILL, {{code: 0}}, {{signal: KILL}} or any",
                            value.dump()));
  };
  const auto one = [&](const Json& given) {
    if (given.is_number_integer()) {
      demand.code = given.get<int>();
    } else if (given.is_string() && given != "any") {
      demand.signal = signal_number(given.get<std::string>());
      if (!demand.signal) return false;
    }
    return given.is_number_integer() || given.is_string();
  };
  if (value.is_null() || value == true) return demand;
  if (!value.is_object()) {
    if (!one(value)) return refuse();
    return demand;
  }
  for (const auto& [key, given] : value.items()) {
    if (key == "code" && given.is_number_integer()) {
      demand.code = given.get<int>();
    } else if (key == "signal" && given.is_string()) {
      demand.signal = signal_number(given.get<std::string>());
      if (!demand.signal) return refuse();
    } else {
      return refuse();
    }
  }
  return demand;
}
}  // namespace harness
