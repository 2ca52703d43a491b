// Starting the daemon under test, and every way in which a start fails.
#include <fmt/format.h>

#include <utility>

#include "harness/run/daemon_control.h"
#include "harness/target/ready.h"

namespace harness {

void DaemonControl::begin_instance() {
  ++session_->instance;
  asked_by_.clear();
  asked_signals_.clear();
  asked_any_ = false;
  swallowed_ = false;
  asked_at_.reset();
  last_signal_.reset();
  lines_at_signal_ = 0;
  reported_ = false;
  overdue_.clear();
  killed_by_us_ = false;
  port_is_strangers_ = false;
}

Result<StartSeen> DaemonControl::start(const StartRequest& request, const Limit& limit) {
  std::unique_lock lock(mutex_);
  if (session_->daemon_running()) {
    return fail(ErrorKind::invalid,
                "`start`: the daemon of an earlier start still runs; `stop`, `signal` or `await` its "
                "exit first");
  }
  settle();
  begin_instance();
  starting_ = request.step;
  const TargetProfile& target = session_->target;
  if (!request.activation) socket_.reset();  // the daemon binds its own
  if (auto free = check_port(); !free) {
    port_is_strangers_ = free.error().kind == ErrorKind::environment;
    (void)not_started("port", free.error().message);
    return tl::unexpected(free.error());
  }
  if (auto held = hold_socket(request.activation); !held) {
    (void)not_started("port", held.error().message);
    return tl::unexpected(held.error());
  }
  SpawnOptions options;
  options.listener = socket_.get();
  options.argv = target.command;
  options.argv.insert(options.argv.end(), request.arguments.begin(), request.arguments.end());
  options.environment = target.environment;
  options.folder = session_->workspace->root().string();
  options.log_file =
      (session_->workspace->root() / fmt::format("daemon-{}.log", session_->instance)).string();
  notify_.reset();
  if (target.ready.by == "notify") {
    options.notify_socket = session_->workspace->notify_socket(session_->instance);
    auto socket = NotifySocket::bind(options.notify_socket);
    if (!socket) return tl::unexpected(socket.error());
    notify_ = std::move(*socket);
  }
  if (saboteur_) saboteur_->before_spawn(options);
  const Instant begin = Clock::now();
  auto child = Child::spawn(options);
  if (!child) {
    (void)not_started("exec", child.error().message);
    return tl::unexpected(child.error());
  }
  session_->daemon = std::move(*child);
  exit_recorded_ = false;
  lives_.push_back({session_->instance, begin, std::nullopt, std::nullopt});
  session_->recorder->record("daemon.start", {{"instance", session_->instance},
                                              {"pid", session_->daemon->pid()},
                                              {"start_ticks", session_->daemon->start_ticks()},
                                              {"command", options.argv},
                                              {"step", request.step}});
  if (saboteur_) saboteur_->spawned(session_->daemon);
  if (on_spawn) on_spawn(session_->daemon);
  lock.unlock();  // a fault may strike while the daemon starts
  auto ready = wait_ready(*session_->daemon, notify_ ? &*notify_ : nullptr, target.ready,
                          session_->workspace->port(), target.base_url, begin, limit);
  lock.lock();
  if (!ready) return failed_start(request, ready.error(), begin, limit);
  lives_.back().ready = begin + ready->after;
  session_->recorder->record("daemon.ready", {{"instance", session_->instance},
                                              {"after_us", ready->after.count()},
                                              {"by", ready->by}});
  return StartSeen{true, static_cast<double>(ready->after.count()) / 1000.0, ready->by,
                   session_->daemon->pid(), std::nullopt};
}

// The daemon was spawned and is not ready: it ended, is too slow, or we were told to stop.
Result<StartSeen> DaemonControl::failed_start(const StartRequest& request, const Error& error,
                                              Instant begin, const Limit& limit) {
  if (error.kind == ErrorKind::stopped || limit.stopped()) {
    return fail(ErrorKind::stopped, "stopped while the daemon was starting");
  }
  if (const auto outcome = session_->daemon->outcome()) {
    const bool asked = asked_any_ || !asked_signals_.empty();
    if (auto alone = asked ? Result<void>() : stranger_came(); !alone) {
      port_is_strangers_ = true;
      exit_recorded_ = true;
      keep_log();
      (void)not_started("port", error.message + "; " + alone.error().message);
      return tl::unexpected(alone.error());
    }
    if (request.refusal || asked) {
      const bool crashed = std::holds_alternative<Signalled>(*outcome) && !as_asked(*outcome);
      record_exit(*outcome, request.step, !crashed);
      if (!request.refusal) {
        return fail(ErrorKind::subject, fmt::format("the daemon ended with {} while it was starting",
                                                    to_string(*outcome)));
      }
      return StartSeen{false, milliseconds(Clock::now() - begin), "", session_->daemon->pid(),
                       *outcome};
    }
    exit_recorded_ = true;
    keep_log();
    return not_started("exited", error.message);
  }
  if (error.kind != ErrorKind::subject) return tl::unexpected(error);
  if (limit.expired()) {
    return fail(ErrorKind::timeout, "the time given to the scenario passed: " + error.message);
  }
  return not_started("timeout", error.message);
}

Result<StartSeen> DaemonControl::not_started(const std::string& kind, const std::string& reason) {
  reported_ = true;
  session_->recorder->record("daemon.not_started", {{"instance", session_->instance},
                                                    {"step", starting_},
                                                    {"reason", reason},
                                                    {"kind", kind},
                                                    {"last_log", last_log()}});
  return fail(ErrorKind::subject, "the daemon did not start: " + reason);
}

void DaemonControl::could_not_start(const std::string& step, const std::string& reason) {
  std::lock_guard lock(mutex_);
  session_->recorder->record("daemon.not_started", {{"instance", session_->instance + 1},
                                                    {"step", step},
                                                    {"reason", reason},
                                                    {"kind", "exec"},
                                                    {"last_log", Json::array()}});
}
}  // namespace harness
