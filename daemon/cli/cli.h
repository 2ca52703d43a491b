// The command line: argv in, exit status out. A client of the running daemon's HTTP API; it never
// opens the store. Only `aima start` runs a daemon, and how is the caller's business.
#pragma once
#include <functional>

#include "daemon/base/json.h"
#include "daemon/config/doctor_options.h"
#include "daemon/config/start_options.h"

namespace aima::cli {

// Runs the daemon in the foreground and returns the exit status (daemon/CONTRACT.md, section 4).
using Start = std::function<int(const StartOptions&)>;
// Answers a report as doctor/doctor.h describes it.
using Doctor = std::function<Json(const DoctorOptions&)>;

// Exit status: 0 done, 1 refused by the daemon, 64 usage error, 69 no daemon at that address;
// `start` returns what the function returned, `doctor` 0 healthy, 1 warnings, 2 broken, `selftest`
// what the harness said (69 where there is none). Results go to stdout, errors to stderr.
int run(int argc, char** argv, const Start& start, const Doctor& doctor);

}  // namespace aima::cli
