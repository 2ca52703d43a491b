// What may falsify a run from inside it: `prove` hands one in, a true run has none. Calls come from
// the thread that walks the steps; those about signals and faults also from a background step or a
// fault that waits for its moment, but never two of them at once (DaemonControl::hold). A saboteur
// that owns threads or descriptors ends them in finish(), which comes on every way out and is the last
// call: before faults are healed, `finally` runs, the daemon is ended and leftovers are counted.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "harness/base/clock.h"
#include "harness/target/child.h"

namespace harness {

struct Live;
struct Step;
struct StepResult;

class Saboteur {
 public:
  virtual ~Saboteur() = default;

  // Around each step at the top of `steps`. A strike takes the time it needs within `limit`.
  virtual void before_step(Live& live, const Step& step, const Limit& limit) {
    (void)live, (void)step, (void)limit;
  }
  virtual void after_step(Live& live, const Step& step, const StepResult& result, const Limit& limit) {
    (void)live, (void)step, (void)result, (void)limit;
  }
  // A daemon is about to be spawned: its command, environment and output may be falsified.
  virtual void before_spawn(SpawnOptions& options) { (void)options; }
  // It was spawned, and is not ready yet.
  virtual void spawned(const std::shared_ptr<Child>& daemon) { (void)daemon; }
  // True: the signal is not sent, the fault does not strike; the run goes on, and records, as if it
  // had.
  virtual bool swallows_signal(const std::string& step, int number) {
    return (void)step, (void)number, false;
  }
  virtual bool swallows_fault(const std::string& step, const std::string& fault) {
    return (void)step, (void)fault, false;
  }
  // How long a step may take, where the strike makes sure that what it waits for never comes: the wait
  // then ends as it would have ended anyway, only sooner. Asked of every step beside branches.
  virtual std::optional<Milliseconds> patience(const Step& step) { return (void)step, std::nullopt; }
  virtual void finish() {}
};
}  // namespace harness
