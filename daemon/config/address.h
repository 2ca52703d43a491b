// Where the daemon listens: "HOST:PORT" as people write it, and whether that is this machine only.
#pragma once
#include <cstdint>
#include <string>

#include <tl/expected.hpp>

namespace aima {

struct ListenAddress {
  std::string host;  // digits: "127.0.0.1", "::1", "fe80::1%eth0"
  std::uint16_t port = 0;
  bool loopback = true;  // only this machine can reach it
};

// HOST is an IPv4 or (in brackets) IPv6 address in digits, or localhost in any case; empty means
// 127.0.0.1. An IPv4 address mapped into IPv6 is the IPv4 address. Other names are refused: what
// they stand for, and so who can reach the daemon, may change under it. The error is a sentence.
tl::expected<ListenAddress, std::string> parse_listen_address(const std::string& text);

}  // namespace aima
