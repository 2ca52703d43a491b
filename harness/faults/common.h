// What several faults need. What a signal or the engine is to do is awaited for `proof_time`: if it is
// not to be seen by then, it did not strike.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "harness/faults/fault.h"

namespace harness {

constexpr Milliseconds proof_time(5000);

// The running daemon, or an error that says what the fault needs it for.
Result<Child*> running_daemon(Session& session, const std::string& fault);
// An error when the daemon runs.
Result<void> daemon_is_down(const Session& session, const std::string& fault);
// The `database` argument, else the target's first database.
Result<std::string> database_of(const Session& session, const Arguments& arguments,
                                const std::string& fault);
// A signal to a process that was recorded with its start ticks. False: it is gone.
Result<bool> signal_recorded(const Json& process, int number);

// For `clean`: a debt is written before its holder exists, so its record names no process. The holder
// dies with its harness (parent-death signal), and the sweep of the run's mark ends one that lives.
// Claims nothing: it says who looks.
Result<Json> leave_holder_to_sweep(const Json& undo, const Limit& limit);

// A process of aima-hold-database, as wal-reader and database-lock use it.
class Holder {
 public:
  // `how`: "reader" or "lock". Returns the holder's own line once it holds: "holding exclusive".
  Result<std::string> hold(const Session& session, const std::string& how,
                           const std::string& database, const Limit& limit);
  Result<Json> release(const Limit& limit);  // idempotent
  // Kernel locks of the holder on `file`: [{"kind", "mode", "range"}]. An error: it cannot be known.
  Result<Json> locks_held(const std::string& file) const;
  pid_t pid() const { return child_ ? child_->pid() : 0; }

 private:
  std::unique_ptr<Child> child_;
};
}  // namespace harness
