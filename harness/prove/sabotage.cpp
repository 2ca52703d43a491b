// The tables of sabotages: one row each, in the order in which a matrix shows them.
#include "harness/prove/sabotage.h"

#include "harness/prove/rows.h"

namespace harness {

std::span<const WorldSabotage> world_sabotages() {
  static const std::vector<WorldSabotage> table = {
      drop_row,
      truncate_wal,
      delete_wal,
      flip_byte,
      delete_data,
      leave_lock_file,
      hold_lock,
      widen_modes,
      stop_container,
      remove_container,
      suppress_signal,
      suppress_fault,
      die_early,
      leave_process,
      silence_log,
      slow_start,
      keep_answering,
      cut_reply,
  };
  return table;
}

std::span<const RecordSabotage> record_sabotages() {
  static const std::vector<RecordSabotage> table = {
  };
  return table;
}
}  // namespace harness
