// Starting and stopping as steps do it; shared by start, stop and restart.
#pragma once
#include "harness/run/step.h"

namespace harness {

// The keys that `start` and `restart` share, and how they are carried out.
std::vector<KeyShape> start_keys();
Result<Observation> start_daemon(StepContext& context);

// Sends the signal and awaits the demanded exit within `patience`.
Result<ExitSeen> stop_daemon(StepContext& context, int signal, const ExitDemand& demand,
                             Milliseconds patience);
// The signal that `signal:` names, TERM by default.
Result<int> signal_of(const Arguments& arguments, std::string_view key);
// How long a daemon may take to leave: its own shutdown timeout and a second to get gone.
Milliseconds leave_time(const Session& session);

// An error for a wait that ran out: `subject` where the step's own time passed, `timeout` where the
// scenario's did, `stopped` where we were told to stop.
tl::unexpected<Error> too_late(const StepContext& context, std::string message);
}  // namespace harness
