// Wall-clock times as the API writes them.
#pragma once
#include <string>

namespace aima {
std::string now_rfc3339();  // "2026-11-21T22:45:07.123Z": UTC, milliseconds
}  // namespace aima
