// A group stop reaches one thread after the other: all of them are looked at.
#include "harness/prove/freeze.h"

#include <fmt/format.h>
#include <signal.h>

#include <filesystem>

#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr Milliseconds stop_time(2000);

bool all_stopped(pid_t pid) {
  std::error_code error;
  bool any = false;
  for (const auto& task :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
    const auto info = parse_stat(read_text(task.path() / "stat"));
    if (!info) continue;  // it ended between the two looks
    if (info->state != 'T' && info->state != 'Z' && info->state != 'X') return false;
    any = any || info->state == 'T';
  }
  return any;
}

}  // namespace

Result<void> Freeze::freeze(const Limit& limit) {
  if (frozen_) return {};
  if (auto sent = process_->signal(SIGSTOP); !sent) return sent;
  return await_stop(limit);
}

Result<void> Freeze::await_stop(const Limit& limit) {
  frozen_ = true;
  const pid_t pid = process_->pid();
  if (poll_until([&] { return all_stopped(pid); }, process_->pidfd(), limit.within(stop_time)))
    return {};
  thaw();
  return fail(ErrorKind::environment, fmt::format("process {} did not stop", pid));
}

void Freeze::thaw() {
  if (!frozen_) return;
  frozen_ = false;
  (void)process_->signal(SIGCONT);  // an error means that it has ended
}
}  // namespace harness
