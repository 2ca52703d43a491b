// One domain's rows in memory. Two copies that share their objects: the writer works on one (its
// jobs can be undone), readers see the other, which gets a change only once its group committed.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/store/store.h"

namespace aima {

class MemoryRows {
 public:
  using Object = std::shared_ptr<const Json>;
  Object get(const std::string& id) const;
  Object find_by_name(const std::string& name) const;
  Page list(const ListQuery& query) const;
  // Puts `object` where `id` stands: null erases; a new id goes to the end, or to `seq` if not 0.
  // Returns what stood there before and its place, so that the call can be undone by another.
  std::pair<Object, std::uint64_t> put(const std::string& id, Object object, std::uint64_t seq = 0);

 private:
  std::map<std::uint64_t, Object> rows_;  // by creation order
  std::unordered_map<std::string, std::uint64_t> by_id_;
  std::set<std::pair<std::string, std::uint64_t>> by_name_;  // names may repeat: oldest first
  std::uint64_t next_ = 1;
};

class MemoryTable {
 public:
  MemoryRows& working() { return working_; }  // the writer thread only

  // Records a change made on the working rows by the running job.
  void change(const std::string& id, MemoryRows::Object object);
  void undo_job();    // takes the running job's changes back
  void keep_job();    // they stay, subject to the group
  void undo_group();  // the commit failed: all of the group's changes go
  void publish();     // the group committed: readers see it

  MemoryRows::Object get(const std::string& id) const;
  MemoryRows::Object find_by_name(const std::string& name) const;
  Page list(const ListQuery& query) const;

 private:
  struct Change {
    std::string id;
    MemoryRows::Object before, after;
    std::uint64_t seq;
  };
  void undo_to(std::size_t size);
  MemoryRows working_;
  std::vector<Change> group_;
  std::size_t kept_ = 0;  // changes of jobs that have succeeded
  mutable std::shared_mutex mutex_;
  MemoryRows published_;  // guarded by mutex_
};
}  // namespace aima
