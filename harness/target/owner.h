// Whose a thing is, said by its name alone: a folder or cgroup that a harness is making, or removing,
// when it is killed has nothing in it that could say so.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace harness {

// A process, so that a later one with its number is not taken for it.
struct Owner {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t pid_namespace = 0;  // inode; a pid means nothing in another one
};
Owner this_process();
std::uint64_t own_pid_namespace();

// PREFIXrun_id.PID.TICKS.NAMESPACE, of this process; and back.
std::string owned_name(std::string_view prefix, const std::string& run_id);
struct Owned {
  std::string run_id;
  Owner owner;
};
std::optional<Owned> read_owned_name(std::string_view prefix, std::string name);

enum class Life { alive, dead, unknown };  // unknown: it is of another PID namespace
Life life_of(const Owner& owner);
}  // namespace harness
