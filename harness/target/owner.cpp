// Names are read from their end: a run id may hold dots.
#include "harness/target/owner.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "harness/target/process_info.h"

namespace harness {
namespace {

template <typename Number>
bool take_number(std::string& name, Number& number) {
  const auto dot = name.rfind('.');
  if (dot == std::string::npos || dot + 1 == name.size()) return false;
  const char* end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + dot + 1, end, number);
  if (read.ec != std::errc() || read.ptr != end) return false;
  name.erase(dot);
  return true;
}
}  // namespace

std::uint64_t own_pid_namespace() {
  struct stat status = {};
  return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

Owner this_process() {
  const auto self = read_process(::getpid());
  return {::getpid(), self ? self->start_ticks : 0, own_pid_namespace()};
}

std::string owned_name(std::string_view prefix, const std::string& run_id) {
  const Owner owner = this_process();
  return fmt::format("{}{}.{}.{}.{}", prefix, run_id, owner.pid, owner.start_ticks,
                     owner.pid_namespace);
}

std::optional<Owned> read_owned_name(std::string_view prefix, std::string name) {
  Owned owned;
  if (!name.starts_with(prefix) || !take_number(name, owned.owner.pid_namespace) ||
      !take_number(name, owned.owner.start_ticks) || !take_number(name, owned.owner.pid))
    return std::nullopt;
  owned.run_id = name.substr(prefix.size());
  return owned;
}

Life life_of(const Owner& owner) {
  if (owner.pid_namespace != own_pid_namespace()) return Life::unknown;
  const auto process = read_process(owner.pid);
  const bool alive =
      process && process->state != 'Z' && process->start_ticks == owner.start_ticks;
  return alive ? Life::alive : Life::dead;
}
}  // namespace harness
