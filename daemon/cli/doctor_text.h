// A doctor's report for people: one check a line, and below it what to do where it is not well.
#pragma once
#include <string>

#include "daemon/base/json.h"

namespace aima::cli {
std::string doctor_text(const Json& report);
}  // namespace aima::cli
