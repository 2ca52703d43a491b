// A listening socket that the service manager opened and handed over (sd_listen_fds(3)): it outlives
// this daemon, and what queues on it while nobody accepts is the next daemon's.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "daemon/base/error.h"

namespace aima {

// Owns the descriptor until release().
class InheritedListener {
 public:
  InheritedListener(int descriptor, bool v6, std::string host, std::uint16_t port)
      : descriptor_(descriptor), v6_(v6), host_(std::move(host)), port_(port) {}
  InheritedListener(InheritedListener&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        v6_(other.v6_),
        host_(std::move(other.host_)),
        port_(other.port_) {}
  InheritedListener& operator=(InheritedListener&&) = delete;
  ~InheritedListener();

  bool v6() const { return v6_; }
  const std::string& host() const { return host_; }  // as digits, without brackets
  std::uint16_t port() const { return port_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
  bool v6_;
  std::string host_;
  std::uint16_t port_;
};

// What $LISTEN_FDS passes to this very process: nothing without it, or where $LISTEN_PID names
// another process (a child of ours would find variables that are not meant for it). LISTEN_* are
// removed from the environment either way, and the descriptor is closed on exec. Refused (code
// "inherited_listener"): several sockets, and what is no listening TCP socket. Call it before there
// are threads, which may read the environment.
Result<std::optional<InheritedListener>> take_inherited_listener();

}  // namespace aima
