// `aima doctor`: what is well and what is not with the daemon, its data folder and its machine.
//
// A running daemon is asked; without one the folder's lock is taken for as long as the store is
// copied, and the copy is read. Nothing is changed: no file, no row, no container.
#pragma once
#include "daemon/base/json.h"
#include "daemon/config/doctor_options.h"

namespace aima {

// {"result":"ok|warning|broken|interrupted", "summary":…, "server":…, "data_dir":…,
//  "items":[{"check","result":"ok|skipped|warning|broken","found","advice","details":[…]}], "total":n}
// `result` is the worst of the items; "interrupted" carries "signal".
Json run_doctor(const DoctorOptions& options);

}  // namespace aima
