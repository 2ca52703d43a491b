// Background requests that were in flight when the daemon was asked to leave.
#pragma once
#include <vector>

#include "harness/prove/course.h"

namespace harness {

struct Flight {
  Place place;  // detail: the groups; step: what asked the daemon to leave, or the join
  std::vector<const Passage*> joins;  // in order; at least one is judged
  bool keeps_connections = false;     // a workload is among them
};
// One for all the groups that are in flight together.
std::vector<Flight> requests_in_flight(const Course& course);
}  // namespace harness
