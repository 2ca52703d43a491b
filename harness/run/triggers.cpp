// One thread for each fault that waits.
#include "harness/run/triggers.h"

#include <fmt/format.h>

namespace harness {

Result<void> Triggers::arm(const When& when, std::optional<Milliseconds> delay,
                           const Session& session, std::function<void()> strike,
                           std::function<void(const std::string&)> never) {
  auto trigger = std::make_shared<Trigger>();
  if (when.request) {
    try {
      trigger->request = std::regex(*when.request, std::regex::ECMAScript | std::regex::optimize);
    } catch (const std::regex_error& error) {
      return fail(ErrorKind::invalid,
                  fmt::format("`{}` is no regular expression: {}", *when.request, error.what()),
                  when.span);
    }
    trigger->on_request = true;
    trigger->missing = when.nth;
  }
  if (when.log && !session.daemon) {
    return fail(ErrorKind::invalid, "a fault at a log line needs a started daemon", when.span);
  }
  Trigger* raw = trigger.get();
  const std::shared_ptr<Child> daemon = session.daemon;
  trigger->thread = std::jthread([=](std::stop_token stop) {
    const Instant end = Clock::now() + std::chrono::hours(24);
    if (delay) {
      std::unique_lock lock(raw->mutex);
      raw->changed.wait_until(lock, stop, Clock::now() + *delay, [] { return false; });
      if (stop.stop_requested()) return never("the run ended before its time came");
    }
    if (when.log) {
      auto line = daemon->wait_line(*when.log, 0, when.nth, Limit{end, stop});
      if (!line) return never(fmt::format("no log line matched `{}`", *when.log));
    }
    if (raw->on_request) {
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

void Triggers::request(const std::string& line) {
  std::lock_guard lock(mutex_);
  for (auto& trigger : triggers_) {
    if (!trigger->on_request || !std::regex_search(line, trigger->request)) continue;
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
