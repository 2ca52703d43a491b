// The repository all units write to. One writer thread; committed reads from any thread.
//
// Objects are JSON documents with "id" (and "name" where the domain has unique names). Each domain
// lives in SQLite or in memory (Options::kinds); callers cannot tell which, except by kind().
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/domain/unit.h"

namespace aima {

enum class Domain { model, service, catalog, skill, pipeline, pipeline_run, alert };
enum class StoreKind { memory, sqlite };

// As a limit: all that match, whatever their number.
inline constexpr std::size_t every_row = std::numeric_limits<std::int64_t>::max();

struct ListQuery {
  std::map<std::string, std::string> equals;  // field → value, top-level string fields only
  std::size_t limit = 10000;
  std::size_t offset = 0;
};

struct Page {
  std::vector<Json> items;  // creation order, oldest first
  std::size_t total = 0;    // all that match, whatever the limit
};

// A stored object as it is sent: compact JSON without a line break. Null: there is none.
using RowText = std::shared_ptr<const std::string>;

// Valid only inside a write job. Everything in one job is applied together or not at all.
class Transaction {
 public:
  virtual ~Transaction() = default;
  virtual Result<std::optional<Json>> get(Domain domain, const std::string& id) = 0;
  virtual Result<std::optional<Json>> find_by_name(Domain domain, const std::string& name) = 0;
  virtual Result<Page> list(Domain domain, const ListQuery& query) = 0;
  virtual Result<std::string> new_id(Domain domain) = 0;  // prefix + 8 hex, not in use; mostly the next
  virtual Result<void> insert(Domain domain, const Json& object) = 0;
  virtual Result<void> update(Domain domain, const Json& object) = 0;  // by object["id"]
  virtual Result<void> erase(Domain domain, const std::string& id) = 0;
};

using WriteJob = std::move_only_function<Result<Json>(Transaction&)>;

// How long answers are kept under idempotency keys, and how many at most.
struct KeyOptions {
  std::chrono::milliseconds lifetime = std::chrono::hours(24);
  std::size_t most_in_sqlite = 1'000'000;
  std::size_t most_in_memory = 100'000;
  std::size_t most_memory_bytes = 64 * 1024 * 1024;
  std::function<std::int64_t()> now_ms = {};  // since 1970; absent: the clock. Any thread calls it
};

struct StoreOptions {
  std::filesystem::path data_dir;             // holds aima.db; created 0700
  std::map<Domain, StoreKind> kinds;          // absent: the domain's default
  KeyOptions keys = {};
  // Where a foreign reader keeps the log from being emptied, writes are refused beyond this.
  std::int64_t most_log_bytes = std::int64_t{1} << 30;
};

// An answer kept under an idempotency key.
struct KeptAnswer {
  std::string unit;
  std::string fingerprint;
  Result<Json> answer;
};
// Whether an answer may be kept: see kept_answers.h.
bool is_worth_keeping(const Result<Json>& answer);

struct StoreFacts {        // for system.info and the log
  std::int64_t wal_bytes_at_open = 0;
  double replay_ms = 0;    // first read after open: what a large WAL costs
  std::int64_t jobs = 0;     // writes asked for, refused ones too
  std::int64_t groups = 0;   // in which they were taken
  std::int64_t commits = 0;
  std::int64_t checkpoints = 0;  // complete ones
  std::int64_t log_bytes = 0;    // write-ahead log in use now
  std::int64_t fsyncs = 0;   // of database and log
  std::int64_t wal_bytes = 0;  // the log's file now
  int schema_version = 0;
};

class Store {
 public:
  // Locks the data folder, opens, checks and migrates. Damaged, locked or newer: refused (the
  // caller exits 74), the files byte for byte as they were.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options);
  virtual ~Store() = default;

  // Queues a job for the writer thread. `done` runs there, after the group's durable commit (or
  // with the job's own error, its savepoint rolled back; or with the commit's error for all).
  // If `done` has a key, the job's result is kept under it in the same transaction (in memory for
  // a domain that lives there), and AnswerKey::kept set before `done` is called.
  virtual void write(WriteJob job, Done done) = 0;
  // The same, waiting. Never call it on the I/O thread or on the writer thread.
  virtual Result<Json> write_and_wait(WriteJob job, AnswerKeyPtr key = nullptr) = 0;
  // What is kept under this client's key, whichever unit it was for. 429 when there is nothing and
  // no room to keep what `key` is about to make.
  virtual Result<std::optional<KeptAnswer>> kept_answer(const AnswerKey& key) = 0;

  virtual Result<std::optional<Json>> get(Domain domain, const std::string& id) = 0;
  // What `get` answers, as text; kept in memory where it was asked for before, and never older than
  // the last commit.
  virtual Result<RowText> get_text(Domain domain, const std::string& id) = 0;
  virtual Result<std::optional<Json>> find_by_name(Domain domain, const std::string& name) = 0;
  virtual Result<Page> list(Domain domain, const ListQuery& query) = 0;

  virtual StoreKind kind(Domain domain) const = 0;
  virtual StoreFacts facts() const = 0;
  // Whether the last write succeeded, or a probe after it (one a second while it did not).
  virtual bool usable() const = 0;
  virtual std::optional<Error> trouble() const = 0;  // why it is not usable, with status 503
  // Refuses new jobs, finishes queued ones, checkpoints, closes. Idempotent.
  virtual void close() = 0;
};

const char* name_of(Domain domain);        // "model", "service", …
// "model-", "svc-", "recipe-", "skill-", "pipe-", "run-", "alert-"
const char* id_prefix_of(Domain domain);
StoreKind default_kind_of(Domain domain);
}  // namespace aima
