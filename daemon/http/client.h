// A small blocking HTTP/1.1 client on the Beast parser: for the container engine's socket, engine
// health checks and the command line. One connection per object, reused while the peer keeps it.
#pragma once
#include <chrono>
#include <cstdint>
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
  // Asking twice does what asking once does; GET and HEAD always are. Only such a request is sent
  // again when a kept connection turns out to be closed.
  bool is_repeatable = false;
};

struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// What a stream tells beside its data.
struct StreamHooks {
  std::function<void(int status)> on_head;     // the head has come
  std::chrono::milliseconds silence{0};        // when nothing has come for so long (0: never) …
  std::function<bool()> is_silence_accepted;   // … asks whether to go on waiting
};

class Client {
 public:
  static constexpr std::uint64_t largest_body = 64U << 20;
  using Receive = std::function<bool(std::string_view)>;

  explicit Client(Endpoint endpoint);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // A transport error has code "unreachable" (refused, no such socket, reset) or "timeout", and
  // http_status 503 or 504. `stop` ends the wait within a millisecond, as code "cancelled".
  // What is no HTTP, or a body over `most` bytes, is code "bad_answer", 502.
  Result<Response> send(const Request& request, std::chrono::milliseconds deadline,
                        std::stop_token stop = {}, std::uint64_t most = largest_body);

  // The same for a body of any size, which `on_data` gets piece by piece, de-chunked, and may end
  // by returning false. `deadline` bounds the whole exchange.
  Result<Response> receive(const Request& request, std::chrono::milliseconds deadline,
                           const Receive& on_data, std::stop_token stop = {});

  // For events and server-sent events: `deadline` bounds the wait for the head; afterwards only
  // `stop`, the receiver or an unwelcome silence (code "timeout") ends it.
  Result<Response> stream(const Request& request, std::chrono::milliseconds deadline,
                          const Receive& on_data, std::stop_token stop = {},
                          const StreamHooks& hooks = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};
}  // namespace aima::http
