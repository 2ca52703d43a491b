// The text of HTTP/1.1: heads out, targets and ids in. Pure functions.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/gateway/message.h"

namespace aima {

struct HeadOptions {
  bool keep_alive = true;
  bool http_1_0 = false;    // keep-alive has to be said
  bool chunked = false;     // a stream in pieces
  bool with_length = true;  // false: the end of the connection ends the body (HTTP/1.0 streams)
  std::string_view request_id;
};

// Status line, headers and the empty line. A reply with status below 200 or 204 has no length.
std::string format_head(const HttpReply& reply, const HeadOptions& options);

// "%41+b" → "A+b"; nothing for a broken escape or a NUL.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
};
// Origin form ("/a?b=c"), absolute form ("http://host/a") and "*"; nothing for anything else.
std::optional<Target> parse_target(std::string_view target);

// The media type in lower case without its parameters.
std::string media_type(std::string_view content_type);

// What the client sent if it is 1 to 64 of [A-Za-z0-9._-], else a new one.
std::string choose_request_id(std::string_view sent);

}  // namespace aima
