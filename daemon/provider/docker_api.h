// The Docker Engine API as bytes and status codes: connections, version prefix, error texts.
// Serves Docker and Podman; nothing here knows what a service is. What the engine says is not
// trusted: every answer has a limit, every wait an end.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/client.h"
#include "daemon/provider/instance.h"

namespace aima::provider {

std::string url_encode(std::string_view text);
// The API's own words out of an error reply: JSON "message", or the text as it is; 500 bytes at most.
std::string error_text(const http::Response& response);

// Logs of a container without terminal: frames of 8 bytes head and text, cut anywhere by the reads.
// Keeps the last `most` bytes of the text.
class LogText {
 public:
  explicit LogText(std::size_t most) : most_(most) {}
  void take(std::string_view piece);
  std::string text() &&;

 private:
  std::size_t most_;
  std::string head_;           // of the frame that is coming, while it has less than 8 bytes
  std::uint32_t left_ = 0;     // of the frame's text
  std::string text_;
};

class DockerApi {
 public:
  explicit DockerApi(http::Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  // GET /_ping: learns version and kind. Everything else pings first where nobody did.
  Result<void> ping(const Patience& patience);
  // `path` begins with '/', without the version. A body is sent as JSON. All but the making of a
  // container may be sent again when a kept connection has gone.
  Result<http::Response> call(const std::string& method, const std::string& path,
                              const Patience& patience, const std::string& body = "");
  // An answer of any size, piece by piece; its status decides what the pieces are.
  Result<http::Response> receive(const std::string& path, const Patience& patience,
                                 const http::Client::Receive& on_data);
  // Follows an answer without end on a connection of its own. `patience` is for its beginning.
  Result<http::Response> follow(const std::string& path, const Patience& patience,
                                const http::Client::Receive& on_data,
                                const http::StreamHooks& hooks);
  bool is_podman() const;
  std::string version() const;  // "1.41", or empty before the first ping

 private:
  using Ask = std::function<Result<http::Response>(http::Client&)>;
  Result<http::Response> with_connection(const Ask& ask);
  Result<http::Request> request_for(const std::string& method, const std::string& path,
                                    const Patience& patience);

  http::Endpoint endpoint_;
  mutable std::mutex mutex_;
  std::vector<http::Client> idle_;  // kept connections, most recently used last
  std::string version_;
  bool is_podman_ = false;
};
}  // namespace aima::provider
