// The store, read from a copy: is it whole, how long is its log, what do its rows say.
#pragma once
#include "daemon/doctor/finding.h"

namespace aima::doctor {

inline constexpr std::int64_t kLargeLog = 64 << 20;  // beyond it a start replays noticeably long

struct StoreLook {
  std::vector<Finding> findings;              // "store" and "wal"
  std::optional<std::vector<Json>> services;  // rows as stored; none where they cannot be read
  std::string newest;                         // the newest created_at or updated_at; or empty
};

// `live`: a daemon has the store open.
StoreLook look_at_store(const std::filesystem::path& data_dir, bool live, Deadline deadline);

}  // namespace aima::doctor
