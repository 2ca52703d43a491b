// Enough of HTTP/1.1 for clients that mean well: they are the harness's own or the daemon's.
#include "harness/prove/wire_text.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>

#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr std::size_t most_bytes = 64u << 20;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

std::optional<WireRequest> read_head(const std::string& head) {
  std::istringstream lines(head);
  std::string line, version;
  WireRequest request;
  std::getline(lines, line);
  std::istringstream first(line);
  if (!(first >> request.method >> request.target >> version)) return std::nullopt;
  while (std::getline(lines, line) && line.size() > 1) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) return std::nullopt;
    const auto begin = line.find_first_not_of(" \t", colon + 1);
    const auto end = line.find_last_not_of(" \t\r");
    request.headers[lower(line.substr(0, colon))] =
        begin == std::string::npos || end < begin ? "" : line.substr(begin, end - begin + 1);
  }
  return request;
}

bool is_chunked(const WireRequest& request) {
  const auto coding = request.headers.find("transfer-encoding");
  return coding != request.headers.end() &&
         lower(coding->second).find("chunked") != std::string::npos;
}

std::size_t content_length(const WireRequest& request) {
  const auto length = request.headers.find("content-length");
  return length == request.headers.end() ? 0 : std::strtoull(length->second.c_str(), nullptr, 10);
}

}  // namespace

std::optional<std::string> unchunked(const std::string& body) {
  std::string whole;
  std::size_t at = 0;
  while (true) {
    const auto line_end = body.find("\r\n", at);
    if (line_end == std::string::npos) return std::nullopt;
    const std::size_t size = std::strtoull(body.c_str() + at, nullptr, 16);
    if (size == 0) return whole;
    if (body.size() < line_end + 2 + size + 2) return std::nullopt;
    whole += body.substr(line_end + 2, size);
    at = line_end + 2 + size + 2;
  }
}

std::optional<WireRequest> read_request(int client, const Limit& limit) {
  std::string bytes;
  std::optional<WireRequest> request;
  std::size_t body_at = 0;
  std::array<char, 16384> some{};
  while (bytes.size() < most_bytes) {
    if (!request) {
      const auto end = bytes.find("\r\n\r\n");
      if (end != std::string::npos) {
        body_at = end + 4;
        request = read_head(bytes.substr(0, end + 2));
        if (!request) return std::nullopt;
      }
    }
    if (request && is_chunked(*request)) {
      if (auto body = unchunked(bytes.substr(body_at))) {
        request->body = std::move(*body);
        return request;
      }
    } else if (request && bytes.size() - body_at >= content_length(*request)) {
      request->body = bytes.substr(body_at, content_length(*request));
      return request;
    }
    if (wait_readable(std::array{client}, limit) != 0) return std::nullopt;
    const ssize_t got = ::recv(client, some.data(), some.size(), MSG_DONTWAIT);
    if (got <= 0) return std::nullopt;
    bytes.append(some.data(), static_cast<std::size_t>(got));
  }
  return std::nullopt;
}

std::map<std::string, std::string> end_to_end(std::map<std::string, std::string> headers) {
  for (const char* name : {"connection", "keep-alive", "transfer-encoding", "content-length", "te",
                           "trailer", "upgrade", "proxy-connection", "host", "expect"}) {
    headers.erase(name);
  }
  return headers;
}

std::string reply_text(const WireReply& reply, bool without_body) {
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\n", reply.status, reply.status < 400 ? "OK" : "Falsified");
  for (const auto& [name, value] : reply.headers) text += fmt::format("{}: {}\r\n", name, value);
  text += fmt::format("content-length: {}\r\nconnection: close\r\n\r\n", reply.body.size());
  if (without_body || reply.status == 204 || reply.status == 304) return text;
  if (!reply.cut) return text + reply.body;
  // Without a body the head itself is cut.
  if (reply.body.empty()) return text.substr(0, text.size() / 2);
  return text + reply.body.substr(0, reply.body.size() / 2);
}
}  // namespace harness
