// A small blocking HTTP/1.1 client on the Beast parser: for the container engine's socket, engine
// health checks and the command line. One connection per object, reused while the peer keeps it.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "daemon/base/error.h"

namespace aima::http {

struct Endpoint {
  // "unix:///path", "http://host:port", "tcp://host:port"
  static Result<Endpoint> parse(std::string_view url);
  bool is_unix = false;
  std::string host_or_path;
  std::string port;
};

struct Request {
  std::string method = "GET";
  std::string target = "/";
  std::map<std::string, std::string> headers;
  std::string body;
};

struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class Client {
 public:
  explicit Client(Endpoint endpoint);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // A transport error has code "unreachable" (refused, no such socket, reset) or "timeout", and
  // http_status 503 or 504. `stop` ends the wait within a millisecond, as code "cancelled".
  Result<Response> send(const Request& request, std::chrono::milliseconds deadline,
                        std::stop_token stop = {});

  // The body piece by piece, de-chunked; `on_data` returns false to end. For events, logs and
  // server-sent events. `deadline` bounds the wait for the head; afterwards only `stop` ends it.
  Result<Response> stream(const Request& request, std::chrono::milliseconds deadline,
                          const std::function<bool(std::string_view)>& on_data,
                          std::stop_token stop = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};
}  // namespace aima::http
