// Addresses as people write them: DOCKER_HOST, --server.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/http/client.h"

namespace aima::http {

Result<Endpoint> Endpoint::parse(std::string_view url) {
  const auto refuse = [&](std::string_view why) {
    return fail(400, "invalid_address", fmt::format("address \"{}\": {}", url, why));
  };
  Endpoint endpoint;
  std::string_view rest = url;
  if (rest.starts_with("unix://")) {
    endpoint.is_unix = true;
    endpoint.host_or_path = std::string(rest.substr(7));
    if (!endpoint.host_or_path.starts_with('/')) return refuse("unix:// needs an absolute path");
    return endpoint;
  }
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    endpoint.port = "80";
  } else if (rest.starts_with("tcp://")) {
    rest.remove_prefix(6);
    endpoint.port = "2375";
  } else {
    return refuse("must begin with http://, tcp:// or unix://");
  }
  rest = rest.substr(0, rest.find('/'));
  const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : 0;
  if (bracket == std::string_view::npos) return refuse("the ] of the IPv6 address is missing");
  const std::size_t colon = rest.find(':', bracket);
  if (colon != std::string_view::npos) endpoint.port = std::string(rest.substr(colon + 1));
  endpoint.host_or_path = bracket > 0 ? std::string(rest.substr(1, bracket - 1))
                                      : std::string(rest.substr(0, colon));
  if (endpoint.host_or_path.empty()) return refuse("the host is missing");
  const std::string& port = endpoint.port;
  if (port.empty() || port.size() > 5 ||
      !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }) ||
      std::stoi(port) < 1 || std::stoi(port) > 65535) {
    return refuse("the port must be a number from 1 to 65535");
  }
  return endpoint;
}
}  // namespace aima::http
