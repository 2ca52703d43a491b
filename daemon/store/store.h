// The repository all units write to. One writer thread; committed reads from any thread.
//
// Objects are JSON documents with "id" (and "name" where the domain has unique names). Each domain
// lives in SQLite or in memory (Options::kinds); callers cannot tell which, except by kind().
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
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

struct ListQuery {
  std::map<std::string, std::string> equals;  // field → value, top-level string fields only
  std::size_t limit = 10000;
  std::size_t offset = 0;
};

struct Page {
  std::vector<Json> items;  // creation order, oldest first
  std::size_t total = 0;    // all that match, whatever the limit
};

// Valid only inside a write job. Everything in one job is applied together or not at all.
class Transaction {
 public:
  virtual ~Transaction() = default;
  virtual Result<std::optional<Json>> get(Domain domain, const std::string& id) = 0;
  virtual Result<std::optional<Json>> find_by_name(Domain domain, const std::string& name) = 0;
  virtual Result<Page> list(Domain domain, const ListQuery& query) = 0;
  virtual Result<std::string> new_id(Domain domain) = 0;  // prefix + 8 hex, not in use
  virtual Result<void> insert(Domain domain, const Json& object) = 0;
  virtual Result<void> update(Domain domain, const Json& object) = 0;  // by object["id"]
  virtual Result<void> erase(Domain domain, const std::string& id) = 0;
};

using WriteJob = std::move_only_function<Result<Json>(Transaction&)>;

struct StoreOptions {
  std::filesystem::path data_dir;             // holds aima.db; created 0700
  std::map<Domain, StoreKind> kinds;          // absent: the domain's default
};

struct StoreFacts {        // for system.info and the log
  std::int64_t wal_bytes_at_open = 0;
  double replay_ms = 0;    // first read after open: what a large WAL costs
  std::int64_t commits = 0;
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
  virtual void write(WriteJob job, Done done) = 0;
  // The same, waiting. Never call it on the I/O thread or on the writer thread.
  virtual Result<Json> write_and_wait(WriteJob job) = 0;

  virtual Result<std::optional<Json>> get(Domain domain, const std::string& id) = 0;
  virtual Result<std::optional<Json>> find_by_name(Domain domain, const std::string& name) = 0;
  virtual Result<Page> list(Domain domain, const ListQuery& query) = 0;

  virtual StoreKind kind(Domain domain) const = 0;
  virtual StoreFacts facts() const = 0;
  virtual bool usable() const = 0;
  // Refuses new jobs, finishes queued ones, checkpoints, closes. Idempotent.
  virtual void close() = 0;
};

const char* name_of(Domain domain);        // "model", "service", …
// "model-", "svc-", "recipe-", "skill-", "pipe-", "run-", "alert-"
const char* id_prefix_of(Domain domain);
StoreKind default_kind_of(Domain domain);
}  // namespace aima
