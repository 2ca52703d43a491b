// One thread for each fault that waits.
#include "harness/run/triggers.h"

#include <fmt/format.h>

namespace harness {
namespace {

Result<Pattern> compiled_at(const std::string& pattern, const Span& span) {
  auto compiled = Pattern::compile(pattern);
  if (compiled) return compiled;
  compiled.error().where = span;
  return compiled;
}

}  // namespace

// In the output of the daemon that runs, or of one that is started later.
bool Triggers::await_log(Trigger& trigger, const When& when, const Limit& limit) {
  std::shared_ptr<Child> watched;
  while (true) {
    {
      std::unique_lock lock(trigger.mutex);
      const bool another = trigger.changed.wait(lock, limit.stop,
                                                [&] { return trigger.daemon != watched; });
      if (!another) return false;
      watched = trigger.daemon;
    }
    if (watched->wait_line(*when.log, 0, when.nth, limit)) return true;
    if (limit.stopped() || limit.expired()) return false;
  }
}

Result<void> Triggers::arm(const When& when, std::optional<Milliseconds> delay,
                           const Session& session, std::function<void()> strike,
                           std::function<void(const std::string&)> never) {
  auto trigger = std::make_shared<Trigger>();
  if (when.request) {
    auto compiled = compiled_at(*when.request, when.span);
    if (!compiled) return tl::unexpected(compiled.error());
    trigger->request = std::move(*compiled);
    trigger->missing = when.nth;
  }
  if (when.log) {
    if (auto known = compiled_at(*when.log, when.span); !known) return tl::unexpected(known.error());
    if (session.daemon_running()) trigger->daemon = session.daemon;
  }
  Trigger* raw = trigger.get();
  trigger->thread = std::jthread([=](std::stop_token stop) {
    const Instant end = Clock::now() + std::chrono::hours(24);
    if (delay) {
      std::unique_lock lock(raw->mutex);
      raw->changed.wait_until(lock, stop, Clock::now() + *delay, [] { return false; });
      if (stop.stop_requested()) return never("the run ended before its time came");
    }
    if (when.log && !await_log(*raw, when, Limit{end, stop})) {
      return never(fmt::format("no log line matched `{}`{}", *when.log,
                               when.nth > 1 ? fmt::format(" {} times", when.nth) : ""));
    }
    if (raw->request) {
      std::unique_lock lock(raw->mutex);
      raw->changed.wait(lock, stop, [&] { return raw->missing <= 0; });
      if (raw->missing > 0) {
        return never(fmt::format("{} more requests matching `{}` were awaited", raw->missing,
                                 *when.request));
      }
    }
    strike();
  });
  std::lock_guard lock(mutex_);
  triggers_.push_back(std::move(trigger));
  return {};
}

void Triggers::daemon_started(std::shared_ptr<Child> daemon) {
  std::lock_guard lock(mutex_);
  for (auto& trigger : triggers_) {
    std::lock_guard own(trigger->mutex);
    trigger->daemon = daemon;
    trigger->changed.notify_all();
  }
}

void Triggers::request(const std::string& line) {
  std::lock_guard lock(mutex_);
  for (auto& trigger : triggers_) {
    if (!trigger->request || !trigger->request->found_in(line).value_or(false)) continue;
    std::lock_guard count(trigger->mutex);
    if (--trigger->missing <= 0) trigger->changed.notify_all();
  }
}

void Triggers::stop_all() {
  std::list<std::shared_ptr<Trigger>> ended;
  {
    std::lock_guard lock(mutex_);
    ended.swap(triggers_);
  }
  ended.clear();  // jthreads: asked to stop and joined
}
}  // namespace harness
