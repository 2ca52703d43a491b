#include "daemon/base/descriptor_limit.h"

#include <optional>

namespace aima {
namespace {
std::optional<rlimit> found;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  if (!found) found = limit;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

rlimit descriptor_limit_as_found() {
  if (found) return *found;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit;
}

}  // namespace aima
