// The writer thread: takes the whole queue when the last commit ended, gives each job a savepoint,
// commits once, and only then answers.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "daemon/log/log.h"
#include "daemon/store/lock_holder.h"
#include "daemon/store/schema.h"
#include "daemon/store/transaction.h"

namespace aima {
namespace {
using namespace std::chrono_literals;
using std::chrono::milliseconds;
constexpr std::size_t most_jobs_in_group = 512;  // bounds how long the first of a group waits
// How long a job waits for another program's lock, from when it was queued.
constexpr milliseconds lock_patience = 5s;
constexpr milliseconds least_lock_patience = 100ms;
constexpr auto repeat_complaint = 10s;
constexpr off_t room_bytes = 1 << 20;  // so much must fit again before a full disk counts as over

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

// In a file without a name, so that nothing can be left behind.
bool disk_has_room(const std::filesystem::path& folder) {
  const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return errno != ENOSPC && errno != EDQUOT;
  const int code = ::fallocate(file, 0, 0, room_bytes) == 0 ? 0 : errno;
  ::close(file);
  return code != ENOSPC && code != EDQUOT;
}
}  // namespace

void StoreImpl::write(WriteJob job, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      queue_.push_back({std::move(job), std::move(done), Clock::now()});
      queued_.notify_one();
      return;
    }
  }
  answer(done, fail(503, "store_closed", "the store is closed: the daemon is shutting down"));
}

void StoreImpl::run_writer() {
  for (;;) {
    std::deque<Queued> group;
    {
      std::unique_lock lock(mutex_);
      // A store that failed is tried again every second: no request comes while /ready says 503.
      if (usable_)
        queued_.wait(lock, [this] { return work_is_due(); });
      else
        queued_.wait_for(lock, 1s, [this] { return work_is_due(); });
      if (queue_.empty() && closing_) return;
      while (!queue_.empty() && group.size() < most_jobs_in_group) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    jobs_ += static_cast<std::int64_t>(group.size());
    groups_ += group.empty() ? 0 : 1;
    if (!group.empty())
      run_group(std::move(group));
    else if (!usable_)
      probe();
    checkpointer_.wait_if_far_behind();
    if (checkpointer_.finish_due()) checkpointer_.finish(database_, readers_);
  }
}

Result<void> StoreImpl::log_has_room() const {
  const std::int64_t bytes = checkpointer_.log_bytes();
  if (bytes < options_.most_log_bytes) return {};
  const std::string readers = readers_of_database(options_.data_dir);
  return fail(503, "store_log_full",
              fmt::format("the write-ahead log has reached {} MB, because {} reads an old state of "
                          "the database; nothing was stored: end that program, then try again",
                          bytes >> 20, readers.empty() ? "another program" : readers));
}

Result<void> StoreImpl::try_begin() {
  if (auto room = log_has_room(); !room) return room;
  const auto waited = std::chrono::duration_cast<milliseconds>(Clock::now() - group_since_);
  const auto patience = std::max(lock_patience - waited, least_lock_patience);
  sqlite3_busy_timeout(database_.handle(), static_cast<int>(patience.count()));
  auto begun = database_.execute("BEGIN IMMEDIATE");
  if (begun || begun.error().code != "store_busy") return begun;
  const std::string writers = writers_of_database(options_.data_dir);
  return fail(503, "store_busy",
              fmt::format("another program{} has held the database's write lock for {:.1f} s or "
                          "more; nothing was stored: let it finish or end it, then try again",
                          writers.empty() ? "" : ", " + writers + ",",
                          std::chrono::duration<double>(patience).count()));
}

Result<void> StoreImpl::begin() {
  if (!in_transaction_) {
    // The jobs of one group wait for a lock once, not one after the other.
    if (no_transaction_) return tl::unexpected(*no_transaction_);
    if (auto begun = try_begin(); !begun) {
      no_transaction_ = begun.error();
      return begun;
    }
    in_transaction_ = true;
  }
  if (!in_savepoint_) {
    if (auto begun = database_.execute("SAVEPOINT job"); !begun) return begun;
    in_savepoint_ = true;
  }
  return {};
}

// Writes the version it has read: a change of nothing, but through the log and its fsync.
void StoreImpl::probe() {
  bool was_full = false;
  {
    const std::lock_guard lock(trouble_mutex_);
    was_full = trouble_.code == "disk_full";
  }
  if (!log_has_room() || (was_full && !disk_has_room(options_.data_dir))) return;
  sqlite3_busy_timeout(database_.handle(), 0);
  const std::string sql =
      fmt::format("BEGIN IMMEDIATE;PRAGMA user_version={};COMMIT", schema_version());
  if (auto written = database_.run(sql.c_str()); !written) {
    if (!sqlite3_get_autocommit(database_.handle())) (void)database_.run("ROLLBACK");
    return;
  }
  note_success();
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
    auto ended = result ? Result<void>() : database_.execute("ROLLBACK TO job");
    if (ended) ended = database_.execute("RELEASE job");
    if (!ended) {
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
  group_since_ = group.front().since;
  no_transaction_.reset();
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
    // The refused group may lie whole in the log, only not synced: a crash now would bring it back.
    // Whatever is written next is written over it.
    probe();
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
  if (auto done = database_.execute("COMMIT"); !done) {  // disk full rolls back by itself
    if (!sqlite3_get_autocommit(database_.handle())) (void)database_.run("ROLLBACK");
    return done;
  }
  rows_.committed(state_before, changed);
  if (before != changes_at_last_commit_) {
    changes_at_last_commit_ = before;
    ++commits_;
    if (!usable_) note_success();
  }
  return {};
}

// The store's own failures make it unusable until a write succeeds; one line tells of many.
void StoreImpl::note_failure(const Error& error) {
  if (!error.code.starts_with("store_") && error.code != "disk_full") return;
  const auto now = Clock::now();
  bool is_new = false;
  {
    const std::lock_guard lock(trouble_mutex_);
    is_new = usable_ || trouble_.code != error.code;
    trouble_ = error;
  }
  if (usable_.exchange(false)) trouble_since_ = now;
  if (!is_new && now - trouble_told_ < repeat_complaint) return;
  trouble_told_ = now;
  log_error("store", fmt::format("writes fail, reads go on, trying again every second: {}",
                                 error.message));
}

void StoreImpl::note_success() {
  if (usable_.exchange(true)) return;
  const std::chrono::duration<double> lasted = Clock::now() - trouble_since_;
  log_info("store", fmt::format("the store can be written to again, after {:.1f} s",
                                lasted.count()));
}
}  // namespace aima
