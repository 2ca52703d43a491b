// The end of serving, from the first signal to the last connection. Its order (CONTRACT.md,
// section 4): /ready says 503 · all is served on for the delay, so that who watches /ready can turn
// away · pipelines begin no further step · the listener is closed without losing a connection · idle connections are closed after a short grace · requests in flight run
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
  // `timeout` counts from the end of `delay`, when the listener closes.
  Drain(boost::asio::io_context& io, Server& server, std::chrono::milliseconds timeout,
        Limits limits, Hooks hooks, std::chrono::milliseconds delay = {});

  // The first one begins the delay; one that comes meanwhile ends it. Then a further one acts as if
  // the timeout had passed.
  void signalled(const std::string& name);
  // Since the first signal: /ready is 503.
  bool begun() const { return asked_; }
  std::chrono::milliseconds delay() const { return delay_; }
  std::chrono::milliseconds timeout() const { return timeout_; }

 private:
  void delay_for(const std::string& name);
  void begin(const std::string& by);
  void run_out(const std::string& why);
  void check();
  void finish();
  double elapsed_ms() const;

  boost::asio::io_context& io_;
  Server& server_;
  const std::chrono::milliseconds timeout_;
  const std::chrono::milliseconds delay_;
  const Limits limits_;
  Hooks hooks_;
  boost::asio::steady_timer wait_;  // of the delay
  boost::asio::steady_timer grace_;
  boost::asio::steady_timer cap_;
  std::chrono::steady_clock::time_point began_at_;
  bool asked_ = false;
  bool begun_ = false;
  bool ran_out_ = false;
  bool cut_ = false;
  bool connections_gone_ = false;
  bool pipelines_idle_ = false;
  bool finished_ = false;
};

}  // namespace aima
