// DATA/instances/<service id>.json: what the daemon knows of a native engine after a restart.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/provider/instance.h"
#include "daemon/provider/process.h"

namespace aima::provider {

struct InstanceRecord {
  std::string service_id;
  ProcessId process;
  std::string boot_id;
  int port = 0;
  Labels labels;
  // This boot, that pid, those start ticks, not a zombie.
  bool is_alive() const;
  bool carries(const Labels& scope) const;
};

class InstanceFolder {
 public:
  explicit InstanceFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  // Written beside, synced and renamed: a reader sees the old or the new one, never half.
  Result<void> write(const InstanceRecord& record) const;
  std::optional<InstanceRecord> read(const std::string& service_id) const;
  std::vector<InstanceRecord> read_all() const;  // unreadable ones are left out, with a log line
  void erase(const std::string& service_id) const;

 private:
  std::filesystem::path path_of(const std::string& service_id) const;
  std::filesystem::path folder_;
};
}  // namespace aima::provider
