// One connected socket whose every wait ends by data, deadline or stop. Internal to the client.
#pragma once
#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>

#include "daemon/http/client.h"

namespace aima::http {

using Deadline = std::chrono::steady_clock::time_point;

// What a stop request writes to, so that poll() sees it. One per client, reused.
class Wake {
 public:
  Wake();
  ~Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  int fd() const { return fd_; }
  void ring() const;
  void clear() const;

 private:
  int fd_ = -1;
};

class Connection {
 public:
  Connection() = default;
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool is_open() const { return fd_ >= 0; }
  // False when the peer has closed it, or sent what nobody asked for, while it lay idle.
  bool is_fresh() const;
  Result<void> open(const Endpoint& endpoint, Deadline deadline, const Wake& wake);
  Result<void> write_all(std::string_view data, Deadline deadline, const Wake& wake);
  // At most `size` bytes; 0 at the end of the stream.
  Result<std::size_t> read_some(char* to, std::size_t size, Deadline deadline, const Wake& wake);
  void close();

 private:
  Result<void> open_unix(const Endpoint& endpoint, Deadline deadline, const Wake& wake);
  Result<void> open_tcp(const Endpoint& endpoint, Deadline deadline, const Wake& wake);
  Result<void> wait(short events, Deadline deadline, const Wake& wake) const;

  int fd_ = -1;
  std::string peer_;  // for messages
};
}  // namespace aima::http
