// The tables of sabotages: one row each, in the order in which a matrix shows them.
#include "harness/prove/sabotage.h"

#include "harness/prove/rows.h"

namespace harness {

std::span<const WorldSabotage> world_sabotages() {
  static const std::vector<WorldSabotage> table = {
  };
  return table;
}

std::span<const RecordSabotage> record_sabotages() {
  static const std::vector<RecordSabotage> table = {
  };
  return table;
}
}  // namespace harness
