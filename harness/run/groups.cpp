// Threads of background work.
#include "harness/run/groups.h"

#include <fmt/format.h>

#include <condition_variable>

namespace harness {

struct Groups::Group {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::vector<Json> rows;
  int done = 0;
  bool joined = false;  // a workload, which may be joined again: each criterion looks at its part
  std::vector<std::jthread> threads;  // last: joined before the rest goes
};

Result<void> Groups::start(const std::string& name, int count, const Work& work) {
  std::lock_guard lock(mutex_);
  if (const auto found = groups_.find(name); found != groups_.end() && !found->second->joined) {
    return fail(ErrorKind::invalid,
                fmt::format("a background group `{}` already runs; `join: {}` first", name, name));
  }
  auto group = std::make_shared<Group>();
  group->rows.resize(static_cast<std::size_t>(count));
  Group* raw = group.get();
  for (int n = 1; n <= count; ++n) {
    group->threads.emplace_back([raw, n, work](std::stop_token stop) {
      Json row = work(n, std::move(stop));
      std::lock_guard done(raw->mutex);
      raw->rows[static_cast<std::size_t>(n - 1)] = std::move(row);
      ++raw->done;
      raw->changed.notify_all();
    });
  }
  groups_[name] = std::move(group);
  return {};
}

Result<Json> Groups::join(const std::string& name, const Limit& limit) {
  std::shared_ptr<Group> group;
  {
    std::lock_guard lock(mutex_);
    const auto found = groups_.find(name);
    if (found == groups_.end()) {
      return fail(ErrorKind::invalid, fmt::format("no background group `{}` was started", name));
    }
    group = found->second;
  }
  const int count = static_cast<int>(group->rows.size());
  {
    std::unique_lock lock(group->mutex);
    const bool all = group->changed.wait_until(lock, limit.stop, limit.deadline,
                                               [&] { return group->done == count; });
    if (!all) {
      return fail(limit.stopped() ? ErrorKind::stopped : ErrorKind::subject,
                  fmt::format("{} of {} in group `{}` had ended when the wait was over", group->done,
                              count, name));
    }
  }
  std::lock_guard lock(mutex_);
  Json rows = Json::array();
  if (count == 1 && group->rows.front().contains("workload")) {
    group->joined = true;
    rows.push_back(group->rows.front());
    return rows;
  }
  for (auto& row : group->rows) rows.push_back(std::move(row));
  groups_.erase(name);
  return rows;
}

void Groups::stop_all() {
  std::lock_guard lock(mutex_);
  for (auto& [name, group] : groups_) {
    for (auto& thread : group->threads) thread.request_stop();
  }
  groups_.clear();
}

std::vector<std::string> Groups::names() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const auto& [name, group] : groups_) all.push_back(name);
  return all;
}
}  // namespace harness
