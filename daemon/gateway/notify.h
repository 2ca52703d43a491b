// Tells the service manager how we are: the sd_notify(3) protocol, one datagram to $NOTIFY_SOCKET.
#pragma once
#include <string_view>

namespace aima {

// "READY=1", "STOPPING=1". Nothing happens without NOTIFY_SOCKET; a receiver that is gone or does
// not read is never an error of ours. Answers whether a datagram was sent.
bool notify_manager(std::string_view state);

}  // namespace aima
