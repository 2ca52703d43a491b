// Writing of heads and reading of targets.
#include "daemon/gateway/http_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include "daemon/base/random.h"

namespace aima {
namespace {

std::string_view reason_of(int status) {
  struct Row {
    int status;
    std::string_view reason;
  };
  static constexpr std::array<Row, 30> rows{{{100, "Continue"},
                                             {200, "OK"},
                                             {201, "Created"},
                                             {202, "Accepted"},
                                             {204, "No Content"},
                                             {400, "Bad Request"},
                                             {401, "Unauthorized"},
                                             {403, "Forbidden"},
                                             {404, "Not Found"},
                                             {405, "Method Not Allowed"},
                                             {408, "Request Timeout"},
                                             {409, "Conflict"},
                                             {410, "Gone"},
                                             {411, "Length Required"},
                                             {412, "Precondition Failed"},
                                             {413, "Content Too Large"},
                                             {414, "URI Too Long"},
                                             {415, "Unsupported Media Type"},
                                             {417, "Expectation Failed"},
                                             {422, "Unprocessable Content"},
                                             {424, "Failed Dependency"},
                                             {429, "Too Many Requests"},
                                             {431, "Request Header Fields Too Large"},
                                             {500, "Internal Server Error"},
                                             {501, "Not Implemented"},
                                             {502, "Bad Gateway"},
                                             {503, "Service Unavailable"},
                                             {504, "Gateway Timeout"},
                                             {505, "HTTP Version Not Supported"},
                                             {507, "Insufficient Storage"}}};
  for (const Row& row : rows) {
    if (row.status == status) return row.reason;
  }
  return "Status";
}

// RFC 9110 IMF-fixdate, formatted once a second.
std::string_view http_date() {
  thread_local std::time_t made_for = -1;
  thread_local std::array<char, 40> text{};
  thread_local std::size_t length = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made_for) {
    std::tm utc{};
    gmtime_r(&now, &utc);
    length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    made_for = now;
  }
  return {text.data(), length};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

HttpReply json_reply(int status, const Json& body) {
  HttpReply reply;
  reply.status = status;
  reply.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  reply.body += '\n';
  return reply;
}

HttpReply error_reply(const Error& error) {
  Json body{{"error", {{"code", error.code}, {"message", error.message}}}};
  if (!error.details.is_null()) body["error"]["details"] = error.details;
  HttpReply reply = json_reply(error.http_status, body);
  // Of 409s only this one passes by itself: the first request with the key ends.
  if (error.http_status == 503 || error.code == "idempotency_in_progress")
    reply.headers.emplace_back("Retry-After", "1");
  if (error.code == "too_many_keys") reply.headers.emplace_back("Retry-After", "600");
  return reply;
}

std::string format_head(const HttpReply& reply, const HeadOptions& options) {
  std::string head;
  head.reserve(256);
  head.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
  head.append(reason_of(reply.status)).append("\r\nDate: ").append(http_date()).append("\r\n");
  if (!reply.content_type.empty()) {
    head.append("Content-Type: ").append(reply.content_type).append("\r\n");
  }
  if (options.chunked) {
    head.append("Transfer-Encoding: chunked\r\n");
  } else if (options.with_length && reply.status >= 200 && reply.status != 204) {
    head.append("Content-Length: ").append(std::to_string(reply.body.size())).append("\r\n");
  }
  for (const auto& [name, value] : reply.headers) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (!options.request_id.empty()) {
    head.append("X-Request-Id: ").append(options.request_id).append("\r\n");
  }
  if (!options.keep_alive) {
    head.append("Connection: close\r\n");
  } else if (options.http_1_0) {
    head.append("Connection: keep-alive\r\n");
  }
  return head.append("\r\n");
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::optional<Target> parse_target(std::string_view target) {
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const auto host = target.find("://") + 3;
    const auto path = target.find_first_of("/?", host);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  if (target == "*") return Target{"*", {}};
  if (!target.starts_with("/")) return std::nullopt;
  target = target.substr(0, target.find('#'));
  const auto mark = std::min(target.find('?'), target.size());
  Target result;
  const auto path = percent_decode(target.substr(0, mark), false);
  if (!path) return std::nullopt;
  result.path = *path;
  std::string_view rest = mark < target.size() ? target.substr(mark + 1) : std::string_view{};
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest = end < rest.size() ? rest.substr(end + 1) : std::string_view{};
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value =
        percent_decode(equals < pair.size() ? pair.substr(equals + 1) : std::string_view{}, true);
    if (!name || !value) return std::nullopt;
    result.query.emplace_back(*name, *value);
  }
  return result;
}

std::string media_type(std::string_view content_type) {
  std::string type;
  for (const char c : content_type.substr(0, content_type.find(';'))) {
    if (c != ' ' && c != '\t') type += lower(c);
  }
  return type;
}

std::string choose_request_id(std::string_view sent) {
  const bool fit =
      !sent.empty() && sent.size() <= 64 && std::all_of(sent.begin(), sent.end(), [](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '.' ||
               c == '_' || c == '-';
      });
  if (fit) return std::string(sent);
  // Unique within the daemon's life by the counter and across lives by the random start.
  static const std::string life = random_hex(8);
  thread_local std::uint64_t count = 0;
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "req-%s-%llx", life.c_str(),
                static_cast<unsigned long long>(++count));
  return text.data();
}

}  // namespace aima
