// The answers kept under idempotency keys: for 24 hours, each in the store of what the request
// made, by the same transaction. In SQLite the table `idempotency_keys`, in memory a MemoryTable;
// both commit or go with the writer's group.
//
// Kept are answers of units that ran: success, and refusals that would be given again (404, 409,
// …). Not kept is what says "not now" or "not so": 5xx, 400, 408, 429 and 409 `busy`.
#pragma once
#include <atomic>
#include <deque>
#include <optional>
#include <string>

#include "daemon/store/sqlite.h"
#include "daemon/store/store.h"
#include "daemon/store/table_memory.h"

namespace aima {

class KeptAnswers {
 public:
  explicit KeptAnswers(KeyOptions options);

  // The writer thread, inside the job's savepoint. 409 if the key has an answer already: then the
  // job goes with it, whatever let it through.
  Result<void> keep(sqlite::Database& database, const AnswerKey& key, const Result<Json>& answer);
  Result<void> keep(MemoryTable& table, const AnswerKey& key, const Result<Json>& answer);
  void group_failed();  // what was kept since the last commit is gone

  // Any thread. An answer past its time is none.
  Result<std::optional<KeptAnswer>> find(sqlite::Database& database, const AnswerKey& key) const;
  std::optional<KeptAnswer> find(const MemoryTable& table, const AnswerKey& key) const;
  // 429 when that store holds as many keys as it may, none of which is over: nothing is forgotten
  // early.
  Result<void> room(sqlite::Database& database, StoreKind kind) const;

 private:
  struct InMemory {
    std::string id;
    std::int64_t kept_at;
    std::size_t bytes;
  };
  bool is_over(std::int64_t kept_at, std::int64_t now) const;
  Result<std::int64_t> change(sqlite::Database& database, const std::string& sql,
                              std::int64_t first, std::int64_t second = 0) const;
  Result<void> purge(sqlite::Database& database, std::int64_t now);
  void purge(MemoryTable& table, std::int64_t now);

  const KeyOptions options_;
  std::atomic<std::int64_t> in_sqlite_{-1};  // rows; -1: not counted yet
  std::deque<InMemory> in_memory_;           // the writer thread's; oldest first
  std::atomic<std::size_t> memory_keys_{0};
  std::atomic<std::size_t> memory_bytes_{0};
  std::atomic<std::int64_t> memory_oldest_{0};  // when the first of in_memory_ was kept
};

}  // namespace aima
