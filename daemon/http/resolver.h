// Names to addresses, each wait bounded by a deadline and a stop. Internal to the client.
#pragma once
#include <netdb.h>

#include <memory>
#include <string>

#include "daemon/http/connection.h"

namespace aima::http {

// What getaddrinfo(3) found for a stream socket; never empty.
using Addresses = std::shared_ptr<const addrinfo>;

// Digits are answered at once. A name is asked for on a thread of its own, as nothing ends a
// getaddrinfo that waits for a name server: it goes on by itself where the wait ends before it, and
// who asks for the same name and port meanwhile waits for it too, so that there is one such thread
// for each. Errors: "unreachable" with the resolver's reason, "timeout", "cancelled".
Result<Addresses> resolve(const std::string& host, const std::string& port, Deadline deadline,
                          const Wake& wake);

}  // namespace aima::http
