// The end of serving, from the first signal to the last connection. Its order (CONTRACT.md,
// section 4): /ready says 503 · pipelines begin no further step · the listener is closed without
// losing a connection · idle connections are closed after a short grace · requests in flight run
// on · the timeout, or a second signal, cuts what is left. I/O thread only.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <string>

#include "daemon/gateway/limits.h"
#include "daemon/gateway/server.h"

namespace aima {

class Drain {
 public:
  struct Hooks {
    // Pipelines: begin no step any more; call the argument once (from any thread) when idle.
    std::function<void(std::function<void()>)> stop_pipelines;
    std::function<int()> active_pipelines;
    // Once: `complete` is false if anything was cut.
    std::function<void(bool complete)> finished;
  };
  Drain(boost::asio::io_context& io, Server& server, std::chrono::milliseconds timeout,
        Limits limits, Hooks hooks);

  // The first one begins the drain, the second acts as if the timeout had passed.
  void signalled(const std::string& name);
  bool begun() const { return begun_; }

 private:
  void begin(const std::string& name);
  void run_out(const std::string& why);
  void check();
  void finish();
  double elapsed_ms() const;

  boost::asio::io_context& io_;
  Server& server_;
  const std::chrono::milliseconds timeout_;
  const Limits limits_;
  Hooks hooks_;
  boost::asio::steady_timer grace_;
  boost::asio::steady_timer cap_;
  std::chrono::steady_clock::time_point began_at_;
  bool begun_ = false;
  bool ran_out_ = false;
  bool cut_ = false;
  bool connections_gone_ = false;
  bool pipelines_idle_ = false;
  bool finished_ = false;
};

}  // namespace aima
