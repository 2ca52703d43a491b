// The store: a writer thread with its queue, the memory tables, a pool of reading connections.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/store/checkpointer.h"
#include "daemon/store/data_folder.h"
#include "daemon/store/kept_answers.h"
#include "daemon/store/row_cache.h"
#include "daemon/store/sqlite.h"
#include "daemon/store/store.h"
#include "daemon/store/table_memory.h"

namespace aima {

inline constexpr std::size_t domain_count = 7;

// Reading connections: one user at a time each. Readers never wait for the writer (WAL), nor for
// one another unless all connections are in use.
class ReaderPool {
 public:
  class Lease {
   public:
    Lease(ReaderPool& pool, sqlite::Database database)
        : pool_(&pool), database_(std::move(database)) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), database_(std::move(other.database_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    sqlite::Database& database() { return database_; }

   private:
    ReaderPool* pool_;
    sqlite::Database database_;
  };
  void set_path(std::string path) { path_ = std::move(path); }
  Result<Lease> take();
  // Holds new reads back until resume(); false where one under way outlasts `patience`.
  bool pause(std::chrono::milliseconds patience);
  void resume();
  void close();  // waits for the leases in use to come back

 private:
  static constexpr std::size_t most = 4;
  std::string path_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<sqlite::Database> idle_;
  std::size_t in_use_ = 0;
  bool paused_ = false;
  bool closed_ = false;
};

class StoreImpl final : public Store {
 public:
  explicit StoreImpl(const StoreOptions& options);
  ~StoreImpl() override { close(); }
  Result<void> start();

  void write(WriteJob job, Done done) override;
  Result<Json> write_and_wait(WriteJob job, AnswerKeyPtr key) override;
  Result<std::optional<KeptAnswer>> kept_answer(const AnswerKey& key) override;
  Result<std::optional<Json>> get(Domain domain, const std::string& id) override;
  Result<RowText> get_text(Domain domain, const std::string& id) override;
  Result<std::optional<Json>> find_by_name(Domain domain, const std::string& name) override;
  Result<Page> list(Domain domain, const ListQuery& query) override;
  StoreKind kind(Domain domain) const override { return kinds_[static_cast<std::size_t>(domain)]; }
  StoreFacts facts() const override;
  bool usable() const override { return usable_ && !closed_; }
  std::optional<Error> trouble() const override;
  void close() override;

 private:
  using Clock = std::chrono::steady_clock;
  class Writer;  // the Transaction that jobs see
  struct Queued {
    WriteJob job;
    Done done;
    Clock::time_point since;
  };
  struct Finished {
    Done done;
    Result<Json> result;
    bool kept = false;  // under the key of `done`
  };

  Result<void> prepare_connection();
  void run_writer();
  bool work_is_due() const { return closing_ || !queue_.empty() || checkpointer_.finish_due(); }
  void run_group(std::deque<Queued> group);
  Result<Json> run_job(WriteJob& job, const AnswerKeyPtr& key, Transaction& writer, bool& lost);
  Result<void> keep_answer(const AnswerKey& key, const Result<Json>& answer);
  bool keep_refusal(const AnswerKey& key, const Result<Json>& answer, Transaction& writer,
                    bool& lost);
  StoreKind kind_for(const AnswerKey& key) const;
  void fail_all(std::vector<Finished>& finished, const Error& error);
  Result<void> begin();
  Result<void> try_begin();
  Result<void> commit();
  Result<void> log_has_room() const;
  void probe();
  void note_failure(const Error& error);
  void note_success();
  MemoryTable& memory(Domain domain) { return memory_[static_cast<std::size_t>(domain)]; }
  MemoryTable& kept_in_memory() { return memory_[domain_count]; }

  StoreOptions options_;
  std::array<StoreKind, domain_count> kinds_{};
  std::array<MemoryTable, domain_count + 1> memory_;  // the last: kept answers
  KeptAnswers kept_answers_;
  FolderLock lock_;
  StoreFacts facts_;
  std::atomic<std::int64_t> jobs_{0};
  std::atomic<std::int64_t> groups_{0};
  std::atomic<std::int64_t> commits_{0};
  std::atomic<bool> usable_{true};
  std::atomic<bool> closed_{false};
  mutable std::mutex trouble_mutex_;
  Error trouble_;  // the last failure of the store itself; guarded by trouble_mutex_

  sqlite::Database database_;    // the writer thread's, once it runs
  bool started_ = false;         // else the files stay as they were found
  bool in_transaction_ = false;  // of the writer thread
  bool in_savepoint_ = false;
  Clock::time_point group_since_;         // when the oldest job of the running group was queued
  std::optional<Error> no_transaction_;   // why none could be begun for the running group
  int changes_at_last_commit_ = 0;
  std::vector<std::string> changed_;  // ids of the rows that the open transaction updated or erased
  std::array<std::optional<std::uint32_t>, domain_count> next_ids_;  // of the writer thread
  RowCache rows_;
  Clock::time_point trouble_since_, trouble_told_;
  Checkpointer checkpointer_;
  ReaderPool readers_;

  std::mutex mutex_;
  std::condition_variable queued_;
  std::deque<Queued> queue_;  // guarded by mutex_
  bool closing_ = false;      // guarded by mutex_
  std::mutex close_mutex_;
  std::thread writer_;
};
}  // namespace aima
