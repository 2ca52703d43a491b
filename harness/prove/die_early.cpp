// die-early: the daemon dies of SIGSEGV, by itself as far as the run can tell, before the first
// step that is to end or to hurt it.
#include <fmt/format.h>
#include <signal.h>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

constexpr Milliseconds death_time(5000);

std::vector<Place> places_to_die(const ProofSubject& subject) {
  const Course course(subject);
  bool up = false;
  const Passage* last_up = nullptr;
  for (const auto& passage : course.passages()) {
    // A fault may strike later than its step, on its own time: at the steps after it, it would race.
    const std::string& kind = passage.step->kind;
    const bool ends_it = kind == "signal" || kind == "fault" || passage.died;
    if (up && ends_it) return {{"SEGV", passage.step->path}};
    if (up) last_up = &passage;
    up = passage.up;
  }
  if (last_up) return {{"SEGV", last_up->step->path}};
  return {};
}

Result<std::string> crash(Live& live, const Limit& limit) {
  if (!live.session.daemon_running()) {
    return fail(ErrorKind::environment, "no daemon was running that could die");
  }
  const auto daemon = live.session.daemon;
  if (auto sent = daemon->signal(SIGSEGV); !sent) return tl::unexpected(sent.error());
  auto outcome = daemon->wait(limit.within(death_time));
  if (!outcome) return tl::unexpected(outcome.error());
  const std::string seen = fmt::format("process {} ended: {}", daemon->pid(), to_string(*outcome));
  const auto* death = std::get_if<Signalled>(&*outcome);
  if (death != nullptr && death->signal != SIGSEGV)
    return fail(ErrorKind::environment, seen + ", and not of our SIGSEGV");
  return seen;
}

std::unique_ptr<Strike> die(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::before_step, crash);
}

}  // namespace

const WorldSabotage die_early = {"die-early", "the daemon crashes while nothing asked it to end",
                                 places_to_die, die};
}  // namespace harness
