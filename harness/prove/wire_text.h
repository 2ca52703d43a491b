// HTTP/1.1 as bytes on the wire: a client's request in, a reply out.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "harness/base/clock.h"
#include "harness/prove/wire.h"

namespace harness {

// Nothing where the client closed, was too slow, or said what is no HTTP/1.1 request.
std::optional<WireRequest> read_request(int client, const Limit& limit);
// With its Content-Length recomputed and `Connection: close`. A cut one promises its whole length.
std::string reply_text(const WireReply& reply, bool without_body);
// The headers but those that belong to one connection, or that are recomputed.
std::map<std::string, std::string> end_to_end(std::map<std::string, std::string> headers);
// A chunked body put together; nothing where it is not whole yet.
std::optional<std::string> unchunked(const std::string& body);
}  // namespace harness
