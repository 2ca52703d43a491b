// What tells the runs of one harness apart: the children that it spawned, and for which run. Kept by
// containment.cpp, read by find_processes.cpp; nobody else's.
#pragma once
#include <sys/types.h>

#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>

namespace harness {

struct RunBook {
  std::mutex mutex;
  std::shared_mutex making;  // shared by who makes a child, alone for who reaps adopted ones
  std::multiset<std::string> runs;
  std::map<pid_t, std::string> children;  // ours, spawned by Child: it reaps them
};
RunBook& run_book();

}  // namespace harness
