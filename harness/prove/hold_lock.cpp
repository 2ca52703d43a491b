// hold-lock: with the daemon down, a lock that it held goes on being held, of the same kind and on
// the same file. Released at the end.
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "harness/base/unique_fd.h"
#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"
#include "harness/target/kernel_locks.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

// Locks on a file are the daemon's own; those on SQLite's shared memory are taken anew at every
// use.
const Json* clearest(const Json& locks) {
  const Json* best = nullptr;
  for (const auto& lock : locks) {
    if (lock.value("path", "").ends_with("-shm")) continue;
    if (!best || (lock.value("kind", "") == "FLOCK" && best->value("kind", "") != "FLOCK"))
      best = &lock;
  }
  return best ? best : locks.empty() ? nullptr : &locks.front();
}

// For scenarios that look at files. The lock is one that the running daemon was seen to hold.
std::vector<Place> places_to_hold(const ProofSubject& subject) {
  if (subject.target.data.empty()) return {};
  const Course course(subject);
  bool looked = false;
  for (const auto& passage : course.passages()) looked = looked || passage.step->kind == "files";
  const Json* first = nullptr;
  for (const auto& passage : course.passages()) {
    if (passage.up && passage.survey && passage.survey->contains("locks") && !first) {
      first = &(*passage.survey)["locks"];
    }
  }
  const Json* seen = looked && first ? clearest(*first) : nullptr;
  if (!seen) return {};
  const std::string lock = seen->value("kind", "") + " " + seen->value("path", "");
  std::vector<Place> places;
  for (const Passage* gap : course.gaps()) places.push_back({lock, gap->step->path});
  return places;
}

Result<std::string> take_lock(Live& live, const std::string& lock, UniqueFd& held) {
  const auto blank = lock.find(' ');
  const std::string kind = lock.substr(0, blank), path = lock.substr(blank + 1);
  const fs::path file = fs::path(live.session.target.data) / path;
  std::error_code error;
  const int mode = fs::is_directory(file, error) ? O_RDONLY : O_RDWR;
  held.reset(::open(file.c_str(), mode | O_CLOEXEC));
  if (!held) {
    return fail(ErrorKind::environment,
                fmt::format("cannot open {}: {}", file.string(), ::strerrordesc_np(errno)));
  }
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  const int got = kind == "FLOCK" ? ::flock(held.get(), LOCK_EX | LOCK_NB)
                                  : ::fcntl(held.get(), F_OFD_SETLK, &whole);
  if (got != 0) {
    return fail(ErrorKind::environment,
                fmt::format("cannot lock {}: {}", file.string(), ::strerrordesc_np(errno)));
  }
  const auto seen = locks_on(file);
  if (!seen) return tl::unexpected(seen.error());
  if (seen->empty()) return fail(ErrorKind::environment, "the kernel does not show the lock");
  return fmt::format("{} stays locked, the kernel says: {}", path, to_json(seen->front(), path).dump());
}

std::unique_ptr<Strike> hold(const ProofSubject& subject, const Place& place) {
  auto held = std::make_shared<UniqueFd>();
  return strike_once(
      subject, place, Moment::in_gap,
      [lock = place.detail, held](Live& live, const Limit&) {
        return take_lock(live, lock, *held);
      },
      [held] { held->reset(); });
}

}  // namespace

const WorldSabotage hold_lock = {
    "hold-lock", "a lock on the data folder goes on being held when the daemon is gone",
    places_to_hold, hold};
}  // namespace harness
