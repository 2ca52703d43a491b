// Who listens on a TCP port of this machine, for the message that says it is taken.
#pragma once
#include <cstdint>
#include <set>
#include <string>

namespace aima {

// "process 123 (aima)", or "" where nobody listens or /proc does not show it to us.
std::string describe_port_holder(std::uint16_t port);

// Every TCP port that somebody listens on, on any address.
std::set<std::uint16_t> listening_ports();

}  // namespace aima
