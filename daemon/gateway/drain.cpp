// The steps of a drain, each logged with its figures.
#include "daemon/gateway/drain.h"

#include <boost/asio/post.hpp>

#include <fmt/format.h>

#include "daemon/log/log.h"

namespace aima {

using boost::system::error_code;

Drain::Drain(boost::asio::io_context& io, Server& server, std::chrono::milliseconds timeout,
             Limits limits, Hooks hooks, std::chrono::milliseconds delay)
    : io_(io),
      server_(server),
      timeout_(timeout),
      delay_(delay),
      limits_(limits),
      hooks_(std::move(hooks)),
      wait_(io),
      grace_(io),
      cap_(io) {}

double Drain::elapsed_ms() const {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began_at_)
      .count();
}

void Drain::signalled(const std::string& name) {
  if (finished_) {
    log_info("drain", name + " again: the drain is over, closing is under way");
  } else if (begun_) {
    run_out("a further signal (" + name + ")");
  } else if (asked_) {
    begin("a second signal (" + name + "), which ends the delay");
  } else {
    asked_ = true;
    if (delay_.count() > 0) {
      delay_for(name);
    } else {
      begin(name);
    }
  }
}

void Drain::delay_for(const std::string& name) {
  log_info("drain", fmt::format("{}: /ready is 503 from now on; the listener stays open for {} ms",
                                name, delay_.count()));
  server_.set_leaving();
  wait_.expires_after(delay_);
  wait_.async_wait([this](const error_code& cancelled) {
    if (!cancelled && !begun_) begin("the end of the delay");
  });
}

void Drain::begin(const std::string& by) {
  begun_ = true;
  wait_.cancel();
  began_at_ = std::chrono::steady_clock::now();
  log_info("drain", fmt::format("begun by {}: {} requests in flight on {} connections, {} pipeline "
                                "runs; timeout {} ms",
                                by, server_.requests(), server_.connections(),
                                hooks_.active_pipelines(), timeout_.count()));
  server_.set_draining();
  const int taken = server_.close_listener();
  log_info("drain",
           server_.inherited()
               ? fmt::format("listener left to the next daemon: {} requests in flight",
                             server_.requests())
               : fmt::format("listener closed after {:.1f} ms: {} connections taken from its "
                             "queue, {} requests in flight",
                             elapsed_ms(), taken, server_.requests()));
  hooks_.stop_pipelines([this] {
    boost::asio::post(io_, [this] {
      pipelines_idle_ = true;
      check();
    });
  });
  cap_.expires_at(began_at_ + timeout_);
  cap_.async_wait([this](const error_code& cancelled) {
    if (!cancelled) run_out(fmt::format("the shutdown timeout of {} ms", timeout_.count()));
  });
  grace_.expires_at(began_at_ + limits_.idle_grace);
  grace_.async_wait([this](const error_code& cancelled) {
    if (!cancelled) server_.close_idle();
  });
  server_.on_empty([this] {
    connections_gone_ = true;
    log_info("drain", fmt::format("last connection gone after {:.1f} ms", elapsed_ms()));
    check();
  });
}

void Drain::run_out(const std::string& why) {
  if (ran_out_ || finished_) return;
  ran_out_ = true;
  const std::size_t requests = server_.unfinished();
  cut_ = requests > 0 || !pipelines_idle_;
  log_warn(
      "drain",
      fmt::format("{} came after {:.1f} ms: cutting {} requests on {} connections and "
                  "{} pipeline runs",
                  why, elapsed_ms(), requests, server_.connections(), hooks_.active_pipelines()));
  server_.cut_all();
  // The 503s and the clients' answers to our FIN get a moment, then the rest is closed as it is.
  cap_.expires_after(limits_.cut_linger);
  cap_.async_wait([this](const error_code& cancelled) {
    if (!cancelled) server_.drop_all();
  });
  check();
}

void Drain::check() {
  if (!connections_gone_ || finished_) return;
  if (pipelines_idle_ || ran_out_) finish();
}

void Drain::finish() {
  finished_ = true;
  cap_.cancel();
  grace_.cancel();
  log_info("drain",
           fmt::format("{} after {:.1f} ms", cut_ ? "ran out of time" : "complete", elapsed_ms()));
  hooks_.finished(!cut_);
}

}  // namespace aima
