// A strike that taps the wire for one step and falsifies what the daemon says in it.
#pragma once
#include <functional>
#include <memory>

#include "harness/prove/course.h"
#include "harness/prove/wire.h"
#include "harness/run/live.h"

namespace harness {

// Made on the thread that walks the steps, before the step is done.
using MakeLie = std::function<Result<Falsify>(Live& live, const Step& step)>;

std::unique_ptr<Strike> lie_during(const Place& place, MakeLie make);
// Steps that a criterion judges and that ask the running daemon over HTTP.
std::vector<Place> judged_requests(const ProofSubject& subject);
}  // namespace harness
