// Opening and closing, reading, and the names of things. The writer thread is in writer.cpp.
#include "daemon/store/store.h"

#include <fmt/format.h>

#include <chrono>
#include <future>

#include "daemon/log/log.h"
#include "daemon/store/schema.h"
#include "daemon/store/store_impl.h"
#include "daemon/store/sync_counter.h"
#include "daemon/store/table_sqlite.h"
#include "daemon/store/upgrade.h"

namespace aima {
namespace {
constexpr int busy_wait_ms = 5000;

struct Names {
  const char* name;
  const char* prefix;
  StoreKind kind;
};
constexpr Names names[domain_count] = {
    {"model", "model-", StoreKind::sqlite},    {"service", "svc-", StoreKind::sqlite},
    {"catalog", "recipe-", StoreKind::memory}, {"skill", "skill-", StoreKind::memory},
    {"pipeline", "pipe-", StoreKind::memory},  {"pipeline_run", "run-", StoreKind::memory},
    {"alert", "alert-", StoreKind::memory}};

tl::unexpected<Error> closed_error() {
  return fail(503, "store_closed", "the store is closed: the daemon is shutting down");
}
}  // namespace

const char* name_of(Domain domain) { return names[static_cast<std::size_t>(domain)].name; }
const char* id_prefix_of(Domain domain) { return names[static_cast<std::size_t>(domain)].prefix; }
StoreKind default_kind_of(Domain domain) { return names[static_cast<std::size_t>(domain)].kind; }

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  count_syncs();
  auto store = std::make_unique<StoreImpl>(options);
  if (auto started = store->start(); !started) return tl::unexpected(started.error());
  return store;
}

StoreImpl::StoreImpl(const StoreOptions& options)
    : options_(options), kept_answers_(options.keys) {
  for (std::size_t i = 0; i < domain_count; ++i) {
    const auto domain = static_cast<Domain>(i);
    const auto chosen = options_.kinds.find(domain);
    kinds_[i] = chosen == options_.kinds.end() ? default_kind_of(domain) : chosen->second;
  }
  // Runs are kept exactly as long as the pipelines they belong to.
  kinds_[static_cast<std::size_t>(Domain::pipeline_run)] = kind(Domain::pipeline);
}

Result<void> StoreImpl::start() {
  auto lock = FolderLock::take(options_.data_dir);
  if (!lock) return tl::unexpected(lock.error());
  lock_ = std::move(*lock);
  auto found = judge_database(options_.data_dir);
  if (!found) return tl::unexpected(found.error());
  if (!found->exists) {
    std::error_code ignored;
    if (std::filesystem::exists(options_.data_dir / "instances", ignored))
      log_warn("store", fmt::format("{} was used before but has no aima.db: beginning with an "
                                    "empty store",
                                    options_.data_dir.string()));
    if (auto made = create_database(lock_, options_.data_dir); !made) return made;
  }
  facts_.wal_bytes_at_open = found->wal_bytes;
  facts_.replay_ms = found->replay_ms;
  database_ = std::move(found->connection);
  if (auto ready = prepare_connection(); !ready) return ready;
  if (facts_.wal_bytes_at_open > 0)
    log_info("store",
             fmt::format("WAL replay: {} bytes of write-ahead log, first read took {:.1f} ms",
                         facts_.wal_bytes_at_open, facts_.replay_ms));
  readers_.set_path(database_path(options_.data_dir).string());
  auto wake_writer = [this] {
    { const std::lock_guard held(mutex_); }  // it is either waiting or has yet to look
    queued_.notify_one();
  };
  if (auto begun = checkpointer_.start(options_.data_dir, std::move(wake_writer)); !begun)
    return begun;
  writer_ = std::thread([this] { run_writer(); });
  started_ = true;
  return {};
}

Result<void> StoreImpl::prepare_connection() {
  const std::string path = database_path(options_.data_dir).string();
  if (!database_) {
    auto opened = sqlite::Database::open(path, SQLITE_OPEN_READWRITE, busy_wait_ms);
    if (!opened) return tl::unexpected(opened.error());
    database_ = std::move(*opened);
    const auto began = std::chrono::steady_clock::now();
    // The first read is what replays the log; opening reads nothing.
    if (auto read = database_.number("PRAGMA user_version"); !read)
      return tl::unexpected(read.error());
    facts_.replay_ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
  } else {
    sqlite3_busy_timeout(database_.handle(), busy_wait_ms);
  }
  auto version = database_.number("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  if (auto set = database_.run("PRAGMA synchronous=FULL;PRAGMA wal_autocheckpoint=0"); !set)
    return set;
  // A refused start leaves the log it found: closing would write it into the database.
  const bool keep_log = facts_.wal_bytes_at_open > 0;
  sqlite3_db_config(database_.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep_log, nullptr);
  if (auto moved = upgrade_database(database_, lock_, options_.data_dir,
                                    static_cast<int>(*version));
      !moved)
    return moved;
  if (auto good = check_counts(database_); !good) log_warn("store", good.error().message);
  sqlite3_db_config(database_.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  facts_.schema_version = schema_version();
  // A service may name a model only where both are in SQLite.
  const bool references = kind(Domain::model) == StoreKind::sqlite;
  const std::string settings = fmt::format(
      "PRAGMA journal_mode=WAL;PRAGMA foreign_keys={};PRAGMA journal_size_limit={};"
      "PRAGMA cache_size=-4096;PRAGMA temp_store=MEMORY",
      references ? "ON" : "OFF", Checkpointer::kept_bytes);
  if (auto set = database_.run(settings.c_str()); !set) return set;
  sqlite3_wal_hook(
      database_.handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<StoreImpl*>(self)->checkpointer_.log_has(pages);
        return SQLITE_OK;
      },
      this);
  // The first read in WAL mode is what maps the shared memory that the cache looks at.
  if (auto read = database_.number("PRAGMA user_version"); !read)
    return tl::unexpected(read.error());
  rows_.watch(database_);
  return {};
}

Result<Json> StoreImpl::write_and_wait(WriteJob job, AnswerKeyPtr key) {
  std::promise<Result<Json>> promise;
  auto future = promise.get_future();
  write(std::move(job),
        Done([&promise](Result<Json> result) { promise.set_value(std::move(result)); },
             std::move(key)));
  return future.get();
}

Result<std::optional<Json>> StoreImpl::get(Domain domain, const std::string& id) {
  if (closed_) return closed_error();
  if (kind(domain) == StoreKind::memory) {
    const auto object = memory(domain).get(id);
    return object ? std::optional<Json>(*object) : std::nullopt;
  }
  auto lease = readers_.take();
  if (!lease) return tl::unexpected(lease.error());
  return table_sqlite::get(lease->database(), domain, id);
}

Result<RowText> StoreImpl::get_text(Domain domain, const std::string& id) {
  if (closed_) return closed_error();
  const bool cached = kind(domain) == StoreKind::sqlite;
  if (cached) {
    if (auto text = rows_.find(domain, id)) return text;
  }
  const auto before = rows_.state();
  auto object = get(domain, id);
  if (!object) return tl::unexpected(object.error());
  if (!*object) return nullptr;
  auto text = std::make_shared<const std::string>(
      (**object).dump(-1, ' ', false, Json::error_handler_t::replace));
  if (cached) rows_.put(domain, id, text, before);
  return text;
}

Result<std::optional<Json>> StoreImpl::find_by_name(Domain domain, const std::string& name) {
  if (closed_) return closed_error();
  if (kind(domain) == StoreKind::memory) {
    const auto object = memory(domain).find_by_name(name);
    return object ? std::optional<Json>(*object) : std::nullopt;
  }
  auto lease = readers_.take();
  if (!lease) return tl::unexpected(lease.error());
  return table_sqlite::find_by_name(lease->database(), domain, name);
}

Result<Page> StoreImpl::list(Domain domain, const ListQuery& query) {
  if (closed_) return closed_error();
  if (kind(domain) == StoreKind::memory) return memory(domain).list(query);
  auto lease = readers_.take();
  if (!lease) return tl::unexpected(lease.error());
  auto& database = lease->database();
  if (auto begun = database.run("BEGIN"); !begun) return tl::unexpected(begun.error());
  auto page = table_sqlite::list(database, domain, query);
  (void)database.run("COMMIT");  // of a read: frees the snapshot, nothing can be lost
  return page;
}

StoreFacts StoreImpl::facts() const {
  StoreFacts facts = facts_;
  facts.jobs = jobs_;
  facts.groups = groups_;
  facts.commits = commits_;
  facts.checkpoints = checkpointer_.checkpoints();
  facts.log_bytes = checkpointer_.log_bytes();
  facts.fsyncs = syncs_counted();
  std::error_code gone;
  const auto bytes = std::filesystem::file_size(database_path(options_.data_dir) += "-wal", gone);
  facts.wal_bytes = gone ? 0 : static_cast<std::int64_t>(bytes);
  return facts;
}

std::optional<Error> StoreImpl::trouble() const {
  if (closed_) return closed_error().value();
  if (usable_) return std::nullopt;
  const std::lock_guard lock(trouble_mutex_);
  return Error{503, "store_unusable", trouble_.message, Json{{"cause", trouble_.code}}};
}

void StoreImpl::close() {
  const std::lock_guard once(close_mutex_);
  if (closed_) return;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  queued_.notify_all();
  if (writer_.joinable()) writer_.join();
  checkpointer_.stop();
  closed_ = true;
  readers_.close();
  rows_.unwatch();
  if (database_ && started_) {
    // A foreign reader makes this BUSY after a moment; the log then stays and is replayed later.
    sqlite3_busy_timeout(database_.handle(), 500);
    const int code = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr,
                                               SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    if (code != SQLITE_OK)
      log_warn("store",
               database_.error(code, "the write-ahead log was not emptied at close").message);
  }
  database_.close();
  lock_ = FolderLock();
}

ReaderPool::Lease::~Lease() {
  if (!pool_) return;
  {
    const std::lock_guard lock(pool_->mutex_);
    --pool_->in_use_;
    if (pool_->closed_)
      database_.close();
    else
      pool_->idle_.push_back(std::move(database_));
  }
  pool_->returned_.notify_all();  // a reader, or what waits for all to end
}

Result<ReaderPool::Lease> ReaderPool::take() {
  {
    std::unique_lock lock(mutex_);
    // A read takes milliseconds; ten seconds without a connection means a disk that hangs.
    const bool free = returned_.wait_for(lock, std::chrono::seconds(10),
                                         [&] { return closed_ || (!paused_ && in_use_ < most); });
    if (closed_) return closed_error();
    if (!free) return fail(503, "store_busy", "the store did not answer for 10 s: see the disk");
    ++in_use_;
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
  }
  auto database = sqlite::Database::open(path_, SQLITE_OPEN_READWRITE, busy_wait_ms);
  if (!database) {
    const std::lock_guard lock(mutex_);
    --in_use_;
    return tl::unexpected(database.error());
  }
  (void)database->run("PRAGMA query_only=ON;PRAGMA cache_size=-2048;PRAGMA temp_store=MEMORY");
  return Lease(*this, std::move(*database));
}

bool ReaderPool::pause(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  paused_ = true;
  return returned_.wait_for(lock, patience, [this] { return in_use_ == 0; });
}

void ReaderPool::resume() {
  {
    const std::lock_guard lock(mutex_);
    paused_ = false;
  }
  returned_.notify_all();
}

void ReaderPool::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  returned_.notify_all();
  returned_.wait_for(lock, std::chrono::seconds(10), [&] { return in_use_ == 0; });
  idle_.clear();
}
}  // namespace aima
