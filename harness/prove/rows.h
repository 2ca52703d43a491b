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

// Those that falsify the record of the control run.

}  // namespace harness
