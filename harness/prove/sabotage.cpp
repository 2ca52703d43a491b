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
      hide_item,
      alter_item,
      revive_item,
      answer_500,
      cut_answer,
      change_answer,
      delay_exit,
      finish_reply,
      add_row,
  };
  return table;
}

std::span<const RecordSabotage> record_sabotages() {
  static const std::vector<RecordSabotage> table = {
      change_observation_sabotage,
      lose_item_sabotage,
      change_item_sabotage,
      repeat_item_sabotage,
      resurrect_item_sabotage,
      fail_step_sabotage,
      wrong_exit_sabotage,
      unasked_death_sabotage,
      never_ready_sabotage,
      leftover_sabotage,
      fault_missed_sabotage,
      fault_unproven_sabotage,
      request_cut_sabotage,
      drop_observation_sabotage,
      nothing_created_sabotage,
      early_snapshot_sabotage,
      unsent_signal_sabotage,
      unseen_end_sabotage,
      uncounted_sabotage,
      harness_error_sabotage,
      interrupted_sabotage,
      skipped_sabotage,
      second_run_sabotage,
      cut_off_sabotage,
  };
  return table;
}
}  // namespace harness
