// The Docker Engine API as bytes and status codes: connections, version prefix, error texts.
// Serves Docker and Podman; nothing here knows what a service is.
#pragma once
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
// The API's own words out of an error reply: JSON "message", or the text as it is.
std::string error_text(const http::Response& response);
// Logs of a container without terminal: frames of 8 bytes head and text; heads taken out.
std::string without_frames(std::string_view framed);

class DockerApi {
 public:
  explicit DockerApi(http::Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  // GET /_ping: learns version and kind. Everything else pings first where nobody did.
  Result<void> ping(const Patience& patience);
  // `path` begins with '/', without the version. A body is sent as JSON.
  Result<http::Response> call(const std::string& method, const std::string& path,
                              const Patience& patience, const std::string& body = "");
  bool is_podman() const;
  std::string version() const;  // "1.41", or empty before the first ping

 private:
  Result<http::Response> send(const http::Request& request, const Patience& patience);

  http::Endpoint endpoint_;
  mutable std::mutex mutex_;
  std::vector<http::Client> idle_;  // kept connections, most recently used last
  std::string version_;
  bool is_podman_ = false;
};
}  // namespace aima::provider
