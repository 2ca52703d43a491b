// Tells the service manager how we are: the sd_notify(3) protocol, one datagram to $NOTIFY_SOCKET.
#pragma once
#include <chrono>
#include <optional>
#include <string_view>

namespace aima {

// Lines NAME=VALUE: "READY=1", "STOPPING=1", "STATUS=…", "WATCHDOG=1". Nothing happens without NOTIFY_SOCKET; a receiver that is gone or does
// not read is never an error of ours. Answers whether a datagram was sent.
bool notify_manager(std::string_view state);

// How often at least the manager wants WATCHDOG=1 of this very process ($WATCHDOG_USEC, and
// $WATCHDOG_PID if set); nothing: it does not watch.
std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace aima
