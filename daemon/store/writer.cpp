// The writer thread: takes the whole queue when the last commit ended, gives each job a savepoint,
// commits once, and only then answers.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "daemon/base/random.h"
#include "daemon/log/log.h"
#include "daemon/store/schema.h"
#include "daemon/store/store_impl.h"
#include "daemon/store/table_sqlite.h"

namespace aima {
namespace {
constexpr std::size_t most_jobs_in_group = 512;  // bounds how long the first of a group waits
constexpr int checkpoint_every_pages = 1000;     // 4 MB of log

Error not_found(Domain domain, const std::string& id) {
  return Error{404, "not_found", fmt::format("there is no {} '{}'", name_of(domain), id),
               Json{{"id", id}}};
}

Result<Json> run_guarded(WriteJob& job, Transaction& transaction) {
  try {
    return job(transaction);
  } catch (const std::exception& error) {
    return fail(500, "internal", fmt::format("the write failed: {}", error.what()));
  }
}

void answer(Done& done, Result<Json> result) {
  try {
    if (done) done(std::move(result));
  } catch (const std::exception& error) {
    log_error("store", fmt::format("an answer was lost: {}", error.what()));
  }
}
}  // namespace

// Begins the SQLite transaction and the job's savepoint when a job first needs them: jobs on memory
// tables cost no commit, and still work while the disk does not.
class StoreImpl::Writer final : public Transaction {
 public:
  explicit Writer(StoreImpl& store) : store_(store) {}

  Result<std::optional<Json>> get(Domain domain, const std::string& id) override {
    if (in_memory(domain)) return copy(store_.memory(domain).working().get(id));
    if (auto ready = begin(); !ready) return tl::unexpected(ready.error());
    return table_sqlite::get(store_.database_, domain, id);
  }

  Result<std::optional<Json>> find_by_name(Domain domain, const std::string& name) override {
    if (in_memory(domain)) return copy(store_.memory(domain).working().find_by_name(name));
    if (auto ready = begin(); !ready) return tl::unexpected(ready.error());
    return table_sqlite::find_by_name(store_.database_, domain, name);
  }

  Result<Page> list(Domain domain, const ListQuery& query) override {
    if (in_memory(domain)) return store_.memory(domain).working().list(query);
    if (auto ready = begin(); !ready) return tl::unexpected(ready.error());
    return table_sqlite::list(store_.database_, domain, query);
  }

  Result<std::string> new_id(Domain domain) override {
    for (int attempt = 0; attempt < 100; ++attempt) {
      std::string id = id_prefix_of(domain) + random_hex(8);
      auto taken = get(domain, id);
      if (!taken) return tl::unexpected(taken.error());
      if (!*taken) return id;
    }
    return fail(503, "ids_exhausted", fmt::format("no free id for a {}", name_of(domain)));
  }

  Result<void> insert(Domain domain, const Json& object) override {
    if (auto free = name_is_free(domain, object); !free) return free;
    const std::string id = object.at("id").get<std::string>();
    if (!in_memory(domain)) {
      if (auto ready = begin(); !ready) return ready;
      return table_sqlite::insert(store_.database_, domain, object);
    }
    if (store_.memory(domain).working().get(id))
      return fail(409, "conflict", fmt::format("{} '{}' exists already", name_of(domain), id));
    store_.memory(domain).change(id, std::make_shared<const Json>(object));
    return {};
  }

  Result<void> update(Domain domain, const Json& object) override {
    if (auto free = name_is_free(domain, object); !free) return free;
    const std::string id = object.at("id").get<std::string>();
    if (!in_memory(domain)) {
      if (auto ready = begin(); !ready) return ready;
      store_.changed_.push_back(id);
      auto changed = table_sqlite::update(store_.database_, domain, object);
      if (!changed) return tl::unexpected(changed.error());
      if (!*changed) return tl::unexpected(not_found(domain, id));
      return {};
    }
    if (!store_.memory(domain).working().get(id)) return tl::unexpected(not_found(domain, id));
    store_.memory(domain).change(id, std::make_shared<const Json>(object));
    return {};
  }

  Result<void> erase(Domain domain, const std::string& id) override {
    if (!in_memory(domain)) {
      if (auto ready = begin(); !ready) return ready;
      store_.changed_.push_back(id);
      auto gone = table_sqlite::erase(store_.database_, domain, id);
      if (!gone) return tl::unexpected(gone.error());
      if (!*gone) return tl::unexpected(not_found(domain, id));
      return {};
    }
    if (!store_.memory(domain).working().get(id)) return tl::unexpected(not_found(domain, id));
    store_.memory(domain).change(id, nullptr);
    return {};
  }

 private:
  bool in_memory(Domain domain) const { return store_.kind(domain) == StoreKind::memory; }

  static Result<std::optional<Json>> copy(const MemoryRows::Object& object) {
    return object ? std::optional<Json>(*object) : std::nullopt;
  }

  Result<void> begin() { return store_.begin_job(); }

  Result<void> name_is_free(Domain domain, const Json& object) {
    const auto name = object.find("name");
    if (!table_of(domain).unique_names || name == object.end() || !name->is_string()) return {};
    auto holder = find_by_name(domain, name->get<std::string>());
    if (!holder) return tl::unexpected(holder.error());
    if (!*holder || (**holder)["id"] == object.at("id")) return {};
    const std::string id = (**holder)["id"].get<std::string>();
    return fail(409, "conflict",
                fmt::format("the name '{}' is taken by {} {}: choose another, or delete that one",
                            name->get<std::string>(), name_of(domain), id),
                Json{{"field", "name"}, {"id", id}});
  }

  StoreImpl& store_;
};

Result<void> StoreImpl::begin_job() {
  if (!in_transaction_) {
    if (auto begun = database_.run("BEGIN IMMEDIATE"); !begun) return begun;
    in_transaction_ = true;
  }
  if (!in_savepoint_) {
    if (auto begun = database_.run("SAVEPOINT job"); !begun) return begun;
    in_savepoint_ = true;
  }
  return {};
}

void StoreImpl::write(WriteJob job, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      queue_.push_back({std::move(job), std::move(done)});
      queued_.notify_one();
      return;
    }
  }
  answer(done, fail(503, "store_closed", "the store is closed: the daemon is shutting down"));
}

void StoreImpl::run_writer() {
  if (facts_.wal_bytes_at_open > 0) {
    wal_pages_ = checkpoint_every_pages;  // what a killed daemon left goes into the database now
    checkpoint_if_due();
  }
  for (;;) {
    std::deque<Queued> group;
    {
      std::unique_lock lock(mutex_);
      const auto due = [&] { return closing_ || !queue_.empty(); };
      // A store that failed is tried again every second: no request comes while /ready says 503.
      if (usable_)
        queued_.wait(lock, due);
      else
        queued_.wait_for(lock, std::chrono::seconds(1), due);
      if (queue_.empty() && closing_) return;
      while (!queue_.empty() && group.size() < most_jobs_in_group) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    if (group.empty())
      probe();
    else
      run_group(std::move(group));
    checkpoint_if_due();
  }
}

// Writes the version it has read: a change of nothing, but through the log and its fsync.
void StoreImpl::probe() {
  const std::string sql =
      fmt::format("BEGIN IMMEDIATE;PRAGMA user_version={};COMMIT", schema_version());
  if (auto written = database_.run(sql.c_str()); !written) {
    if (!sqlite3_get_autocommit(database_.handle())) (void)database_.run("ROLLBACK");
    return;
  }
  usable_ = true;
  log_info("store", "the store can be written to again");
}

void StoreImpl::fail_all(std::vector<Finished>& finished, const Error& error) {
  for (auto& job : finished) {
    job.kept = false;
    if (job.result) job.result = tl::unexpected(error);
  }
  for (auto& table : memory_) table.undo_group();
  kept_answers_.group_failed();
}

// One job in its savepoint, with the answer's key. `lost`: SQLite has rolled the whole transaction
// back, or nobody can say what of this job would be committed.
Result<Json> StoreImpl::run_job(WriteJob& job, const AnswerKeyPtr& key, Transaction& writer,
                                bool& lost) {
  in_savepoint_ = false;
  Result<Json> result = run_guarded(job, writer);
  if (result && key)
    if (auto kept = keep_answer(*key, result); !kept) result = tl::unexpected(kept.error());
  lost = in_transaction_ && sqlite3_get_autocommit(database_.handle());
  if (!lost && in_savepoint_) {
    const char* end = result ? "RELEASE job" : "ROLLBACK TO job;RELEASE job";
    if (auto ended = database_.run(end); !ended) {
      lost = true;
      if (result) result = tl::unexpected(ended.error());
      if (!sqlite3_get_autocommit(database_.handle())) (void)database_.run("ROLLBACK");
    }
  }
  for (auto& table : memory_) result ? table.keep_job() : table.undo_job();
  return result;
}

void StoreImpl::run_group(std::deque<Queued> group) {
  std::vector<Finished> finished;
  finished.reserve(group.size());
  Writer writer(*this);
  for (auto& queued : group) {
    bool lost = false;
    const AnswerKeyPtr& key = queued.done.key();
    Result<Json> result = run_job(queued.job, key, writer, lost);
    if (!result && result.error().http_status >= 500) note_failure(result.error());
    const bool kept = key && (result || (!lost && keep_refusal(*key, result, writer, lost)));
    finished.push_back({std::move(queued.done), std::move(result), kept});
    if (lost) {
      // SQLite rolled everything back (disk full, I/O error): the earlier jobs are gone as well.
      in_transaction_ = false;
      const auto& own = finished.back().result;
      fail_all(finished, own ? Error{503, "store_io", "the store lost its transaction", nullptr}
                             : own.error());
    }
  }
  if (auto committed = commit(); !committed) {
    note_failure(committed.error());
    fail_all(finished, committed.error());
  }
  for (auto& table : memory_) table.publish();
  for (auto& job : finished) {
    if (job.kept) job.done.key()->kept = true;
    answer(job.done, std::move(job.result));
  }
}

Result<void> StoreImpl::commit() {
  if (!in_transaction_) return {};
  in_transaction_ = false;
  const int before = sqlite3_total_changes(database_.handle());
  const auto state_before = rows_.state();  // nobody else can commit: our transaction writes
  const auto changed = std::exchange(changed_, {});
  if (auto done = database_.run("COMMIT"); !done) {  // disk full rolls back by itself
    if (!sqlite3_get_autocommit(database_.handle())) (void)database_.run("ROLLBACK");
    return done;
  }
  rows_.committed(state_before, changed);
  if (before != changes_at_last_commit_) {
    changes_at_last_commit_ = before;
    ++commits_;
    if (!usable_.exchange(true)) log_info("store", "the store can be written to again");
  }
  return {};
}

void StoreImpl::note_failure(const Error& error) {
  if (!error.code.starts_with("store_") && error.code != "disk_full") return;
  if (error.code != "disk_full") usable_ = false;
  log_error("store", error.message);
}

void StoreImpl::checkpoint_if_due() {
  // SQLite counts pages from the log's start, and starts anew once all of it is in the database.
  if (wal_pages_ < checkpoint_at_ - checkpoint_every_pages) checkpoint_at_ = 0;
  if (wal_pages_ < std::max(checkpoint_at_, checkpoint_every_pages)) return;
  const int code = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  if (code != SQLITE_OK && code != SQLITE_BUSY)
    log_warn("store", database_.error(code, "cannot checkpoint the write-ahead log").message);
  // With a reader in the way, trying at every commit would sort the whole log each time.
  checkpoint_at_ = wal_pages_ + checkpoint_every_pages;
}
}  // namespace aima
