// See address.h. inet_pton reads the digits, so that "127.1" or "0x7f.1" are no addresses.
#include "daemon/config/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace aima {
namespace {

struct Host {
  std::string digits;
  bool loopback = false;
};

std::optional<Host> parse_v4(const std::string& host) {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) != 1) return std::nullopt;
  return Host{host, (ntohl(address.s_addr) >> 24) == 127};
}

std::optional<Host> parse_v6(const std::string& host) {
  const auto scope = std::min(host.find('%'), host.size());
  in6_addr address{};
  if (inet_pton(AF_INET6, host.substr(0, scope).c_str(), &address) != 1) return std::nullopt;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    std::array<char, INET_ADDRSTRLEN> text{};
    inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
    return parse_v4(text.data());
  }
  return Host{host, IN6_IS_ADDR_LOOPBACK(&address) != 0};
}

std::optional<Host> parse_host(std::string host) {
  std::string name = host;
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (name.empty() || name == "localhost" || name == "localhost.") {
    return Host{"127.0.0.1", true};
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    return parse_v6(host.substr(1, host.size() - 2));
  }
  if (auto v4 = parse_v4(host)) return v4;
  return parse_v6(host);  // "::1:9090" reads as people mean it: the last part is the port
}

}  // namespace

tl::expected<ListenAddress, std::string> parse_listen_address(const std::string& text) {
  const auto colon = text.rfind(':');
  int port = -1;
  if (colon != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc{} || rest != end || port < 0 || port > 65535) port = -1;
  }
  if (port < 0) {
    return tl::unexpected("\"" + text +
                          "\" is not HOST:PORT (for example 127.0.0.1:9090; port 0 takes any)");
  }
  auto host = parse_host(text.substr(0, colon));
  if (!host) {
    return tl::unexpected("\"" + text +
                          "\": the host is not an address in digits (127.0.0.1 or [::1] for this "
                          "machine only, 0.0.0.0 or [::] for everyone), nor localhost");
  }
  return ListenAddress{std::move(host->digits), static_cast<std::uint16_t>(port), host->loopback};
}

}  // namespace aima
