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
          : response.body.substr(0, 500);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  if (text.empty()) text = fmt::format("HTTP status {}", response.status);
  return text;
}

std::string without_frames(std::string_view framed) {
  std::string text;
  while (framed.size() >= 8) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::uint32_t>(static_cast<unsigned char>(framed[i]));
    };
    const std::size_t length = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
    text.append(framed.substr(8, length));
    framed.remove_prefix(std::min(framed.size(), 8 + length));
  }
  return text;
}

Result<http::Response> DockerApi::send(const http::Request& request, const Patience& patience) {
  http::Client client(endpoint_);
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      client = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  auto response = client.send(request, patience.deadline, patience.stop);
  if (response) {
    std::lock_guard lock(mutex_);
    if (idle_.size() < most_idle) idle_.push_back(std::move(client));
  }
  return response;
}

Result<void> DockerApi::ping(const Patience& patience) {
  auto response = send({"GET", "/_ping", {}, ""}, patience);
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

Result<http::Response> DockerApi::call(const std::string& method, const std::string& path,
                                       const Patience& patience, const std::string& body) {
  if (version().empty()) {
    if (auto known = ping(patience); !known) return tl::unexpected(known.error());
  }
  http::Request request{method, "/v" + version() + path, {}, body};
  if (!body.empty()) request.headers["Content-Type"] = "application/json";
  return send(request, patience);
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
