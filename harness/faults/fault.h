// A fault hurts, proves that it struck, and carries its undo. Adding one is one file and one row in
// fault.cpp.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "harness/target/session.h"

namespace harness {

// A fault made ready. The runner records `undo()` durably, then calls strike(), then owes heal().
class PreparedFault {
 public:
  virtual ~PreparedFault() = default;
  // All that `clean` needs to undo it without this object: {"fault": name, …}.
  virtual Json undo() const = 0;
  // Evidence that it struck (rule 4). An error: it did not strike (fault.missed).
  virtual Result<Json> strike(const Limit& limit) = 0;
  virtual Result<Json> heal(const Limit& limit) = 0;  // idempotent
};

struct Fault {
  StepShape (*shape)();
  Result<std::unique_ptr<PreparedFault>> (*prepare)(Session& session, const Arguments& arguments);
  // For `clean`: pays the debt of a dead run from its record alone.
  Result<Json> (*heal_recorded)(const Json& undo, const Limit& limit);
};
std::span<const Fault> faults();
const Fault* find_fault(std::string_view name);
// Pays one recorded debt, whichever fault made it; what clean_dead_run (target/leftovers.h) is given.
Result<Json> heal_recorded(const Json& undo, const Limit& limit);
}  // namespace harness
