// Asks the daemon that may be running.
#pragma once
#include "daemon/doctor/finding.h"

namespace aima::doctor {
Running ask_daemon(const std::string& server, const std::string& api_key);
Finding check_daemon(const Subject& subject);
}  // namespace aima::doctor
