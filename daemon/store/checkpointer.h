// Moves the write-ahead log into the database beside the writer thread, and keeps the log bounded.
//
// The bulk is copied by a thread with a connection of its own while commits go on. A log can begin
// anew only once all of it has been copied, which under steady writes never happens by itself: the
// small rest is therefore copied by the writer thread between two groups (finish()).
// A reader with an old snapshot (another program's) stops the copying at its snapshot. The log then
// grows with every write; once the reader has gone it is copied and cut back within a second or
// two. What bounds it meanwhile is the store's log limit, see StoreOptions.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "daemon/store/sqlite.h"

namespace aima {

class ReaderPool;

class Checkpointer {
 public:
  static constexpr int every_pages = 1000;             // of 4 KB: when copying begins
  static constexpr int most_pages = 4 * every_pages;   // while no reader is in the way
  static constexpr std::int64_t kept_bytes = 4 << 20;  // the file is cut back to this

  Checkpointer() = default;
  ~Checkpointer() { stop(); }
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // `wake_writer` is called, on the checkpointer's thread, when finish() is due.
  Result<void> start(const std::filesystem::path& folder, std::function<void()> wake_writer);
  void stop();

  // The writer thread: pages of log after a commit, as SQLite's hook tells.
  void log_has(int pages);
  bool finish_due() const { return finish_due_; }
  void finish(sqlite::Database& writer, ReaderPool& readers);
  // Where the copying is far behind (a slow disk) the next commit waits for it, a second at most.
  // Not where a reader is in the way: that can last hours.
  void wait_if_far_behind();

  std::int64_t log_bytes() const { return std::int64_t{pages_} * frame_bytes; }
  std::int64_t checkpoints() const { return checkpoints_; }  // complete ones

 private:
  static constexpr std::int64_t frame_bytes = 4096 + 24;
  struct Pass {
    int code, in_log, copied;
  };
  Pass pass(sqlite::Database& database, int mode);
  void run();
  void take_in(const Pass& pass);  // with mutex_ held
  void tell_size();
  std::int64_t file_bytes() const;

  std::filesystem::path folder_;
  std::function<void()> wake_writer_;
  sqlite::Database database_;  // the checkpointer's thread only
  std::atomic<int> pages_{0};
  std::atomic<bool> finish_due_{false};
  std::atomic<std::int64_t> checkpoints_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  int next_at_ = every_pages;  // guarded by mutex_, as are those below
  int copied_before_ = 0;
  bool copying_ = false;
  bool overdue_ = false;  // try again every second
  bool stopping_ = false;
  std::int64_t told_bytes_ = 0;  // the size last warned of; 0: none
  int last_code_ = 0;
  std::thread thread_;
};

}  // namespace aima
