// Calls to the container engine's socket.
#include "daemon/provider/docker_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace aima::provider {
namespace {
constexpr int newest_minor = 43;  // of API 1.x: what we know to speak
constexpr std::size_t most_idle = 8;
constexpr std::uint64_t largest_answer = 32U << 20;  // a container in a list takes about 1 KB
constexpr std::size_t longest_error = 500;
constexpr std::size_t frame_head = 8;

// The lower of what the engine offers and what we know: a newer prefix is refused.
std::string agreed_version(const std::string& offered) {
  if (!offered.starts_with("1.")) return "1.41";
  const int minor = std::atoi(offered.c_str() + 2);
  return fmt::format("1.{}", std::clamp(minor, 1, newest_minor));
}
}  // namespace

std::string url_encode(std::string_view text) {
  std::string encoded;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte) || std::string_view("-_.~/:").find(letter) != std::string_view::npos) {
      encoded += letter;
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return encoded;
}

std::string error_text(const http::Response& response) {
  // An error body need not be JSON: too old an API version is refused in plain text.
  const Json parsed = Json::parse(response.body, nullptr, false);
  std::string text =
      parsed.is_object() && parsed.contains("message") && parsed["message"].is_string()
          ? parsed["message"].get<std::string>()
          : response.body;
  if (text.size() > longest_error) text.resize(longest_error);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  if (text.empty()) text = fmt::format("HTTP status {}", response.status);
  return text;
}

void LogText::take(std::string_view piece) {
  while (!piece.empty()) {
    if (left_ > 0) {
      const std::string_view part = piece.substr(0, left_);
      text_.append(part);
      left_ -= static_cast<std::uint32_t>(part.size());
      piece.remove_prefix(part.size());
      if (text_.size() > 2 * most_) text_.erase(0, text_.size() - most_);
      continue;
    }
    const std::string_view part = piece.substr(0, frame_head - head_.size());
    head_.append(part);
    piece.remove_prefix(part.size());
    if (head_.size() < frame_head) return;
    const auto byte = [&](std::size_t i) {
      return static_cast<std::uint32_t>(static_cast<unsigned char>(head_[i]));
    };
    left_ = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
    head_.clear();
  }
}

std::string LogText::text() && {
  if (text_.size() > most_) text_.erase(0, text_.size() - most_);
  return std::move(text_);
}

Result<http::Response> DockerApi::with_connection(const Ask& ask) {
  http::Client client(endpoint_);
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      client = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  auto response = ask(client);
  if (response) {
    std::lock_guard lock(mutex_);
    if (idle_.size() < most_idle) idle_.push_back(std::move(client));
  }
  return response;
}

Result<void> DockerApi::ping(const Patience& patience) {
  auto response = with_connection([&](http::Client& client) {
    return client.send({"GET", "/_ping", {}, ""}, patience.left(), patience.stop, largest_answer);
  });
  if (!response) return tl::unexpected(response.error());
  if (response->status != 200) {
    return fail(503, "unreachable",
                "the container engine answers its ping with: " + error_text(*response));
  }
  const auto offered = response->headers.find("api-version");
  std::lock_guard lock(mutex_);
  version_ = agreed_version(offered == response->headers.end() ? "" : offered->second);
  is_podman_ = response->headers.contains("libpod-api-version");
  return {};
}

Result<http::Request> DockerApi::request_for(const std::string& method, const std::string& path,
                                             const Patience& patience) {
  if (version().empty()) {
    if (auto known = ping(patience); !known) return tl::unexpected(known.error());
  }
  http::Request request{method, "/v" + version() + path, {}, ""};
  // A second start, stop or removal finds it done; a second creation finds the first one's name.
  request.is_repeatable = !path.starts_with("/containers/create");
  return request;
}

Result<http::Response> DockerApi::call(const std::string& method, const std::string& path,
                                       const Patience& patience, const std::string& body) {
  auto request = request_for(method, path, patience);
  if (!request) return tl::unexpected(request.error());
  request->body = body;
  if (!body.empty()) request->headers["Content-Type"] = "application/json";
  return with_connection([&](http::Client& client) {
    return client.send(*request, patience.left(), patience.stop, largest_answer);
  });
}

Result<http::Response> DockerApi::receive(const std::string& path, const Patience& patience,
                                          const http::Client::Receive& on_data) {
  auto request = request_for("GET", path, patience);
  if (!request) return tl::unexpected(request.error());
  return with_connection([&](http::Client& client) {
    return client.receive(*request, patience.left(), on_data, patience.stop);
  });
}

Result<http::Response> DockerApi::follow(const std::string& path, const Patience& patience,
                                         const http::Client::Receive& on_data,
                                         const http::StreamHooks& hooks) {
  auto request = request_for("GET", path, patience);
  if (!request) return tl::unexpected(request.error());
  http::Client client(endpoint_);
  return client.stream(*request, patience.left(), on_data, patience.stop, hooks);
}

bool DockerApi::is_podman() const {
  std::lock_guard lock(mutex_);
  return is_podman_;
}

std::string DockerApi::version() const {
  std::lock_guard lock(mutex_);
  return version_;
}
}  // namespace aima::provider
