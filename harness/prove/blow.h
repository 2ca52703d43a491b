// A strike that is one blow at one moment: most sabotages are. What is left is what the blow does.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "harness/prove/sabotage.h"
#include "harness/run/live.h"

namespace harness {

// What was done and how that is known, or why it could not be: an error's message is for a person.
using BlowFunction = std::function<Result<std::string>(Live& live, const Limit& limit)>;

constexpr Milliseconds blow_time(10000);  // at most

// The moments that a place can mean.
enum class Moment {
  before_step,  // of Place::step
  after_step,
  // The daemon down: after the step, or within it before the next daemon is spawned (`restart`).
  in_gap,
};

// The strike keeps no reference to the subject. `release`, if any, is called once, at the end.
std::unique_ptr<Strike> strike_once(const ProofSubject& subject, const Place& place, Moment moment,
                                    BlowFunction blow, std::function<void()> release = {});

// For sabotages with more to do than one blow: remembers what is to be answered.
class NotedStrike : public Strike {
 public:
  std::string struck() const override { return struck_; }
  std::string missed() const override { return struck_.empty() ? missed_ : ""; }

 protected:
  std::string struck_;
  std::string missed_;
};
}  // namespace harness
