// One line for each sabotage; the tables are in sabotage.cpp.
#pragma once
#include "harness/prove/sabotage.h"

namespace harness {
// Those that strike the world of a run.
extern const WorldSabotage drop_row;
extern const WorldSabotage truncate_wal;
extern const WorldSabotage delete_wal;
extern const WorldSabotage flip_byte;
extern const WorldSabotage delete_data;
extern const WorldSabotage leave_lock_file;
extern const WorldSabotage hold_lock;
extern const WorldSabotage widen_modes;
extern const WorldSabotage stop_container;
extern const WorldSabotage remove_container;
extern const WorldSabotage suppress_signal;
extern const WorldSabotage suppress_fault;
extern const WorldSabotage die_early;
extern const WorldSabotage leave_process;
extern const WorldSabotage silence_log;
extern const WorldSabotage slow_start;
extern const WorldSabotage keep_answering;
extern const WorldSabotage cut_reply;
extern const WorldSabotage hide_item;
extern const WorldSabotage alter_item;
extern const WorldSabotage revive_item;
extern const WorldSabotage answer_500;
extern const WorldSabotage cut_answer;
extern const WorldSabotage change_answer;
extern const WorldSabotage delay_exit;
extern const WorldSabotage finish_reply;
extern const WorldSabotage add_row;

// Those that falsify the record of the control run.
extern const RecordSabotage change_observation_sabotage;
extern const RecordSabotage lose_item_sabotage;
extern const RecordSabotage change_item_sabotage;
extern const RecordSabotage repeat_item_sabotage;
extern const RecordSabotage resurrect_item_sabotage;
extern const RecordSabotage fail_step_sabotage;
extern const RecordSabotage wrong_exit_sabotage;
extern const RecordSabotage unasked_death_sabotage;
extern const RecordSabotage never_ready_sabotage;
extern const RecordSabotage leftover_sabotage;
extern const RecordSabotage fault_missed_sabotage;
extern const RecordSabotage fault_unproven_sabotage;
extern const RecordSabotage request_cut_sabotage;
extern const RecordSabotage drop_observation_sabotage;
extern const RecordSabotage nothing_created_sabotage;
extern const RecordSabotage early_snapshot_sabotage;
extern const RecordSabotage unsent_signal_sabotage;
extern const RecordSabotage unseen_end_sabotage;
extern const RecordSabotage uncounted_sabotage;
extern const RecordSabotage harness_error_sabotage;
extern const RecordSabotage interrupted_sabotage;
extern const RecordSabotage skipped_sabotage;
extern const RecordSabotage second_run_sabotage;
extern const RecordSabotage cut_off_sabotage;

}  // namespace harness
