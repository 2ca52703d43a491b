#include "daemon/store/checkpointer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "daemon/log/log.h"
#include "daemon/store/data_folder.h"
#include "daemon/store/lock_holder.h"
#include "daemon/store/store_impl.h"

namespace aima {
namespace {
using namespace std::chrono_literals;
constexpr std::int64_t first_warning_bytes = 64 << 20;
constexpr auto read_patience = 500ms;  // for our own reads, which take milliseconds
}  // namespace

Result<void> Checkpointer::start(const std::filesystem::path& folder,
                                 std::function<void()> wake_writer) {
  folder_ = folder;
  wake_writer_ = std::move(wake_writer);
  auto opened =
      sqlite::Database::open(database_path(folder).string(), SQLITE_OPEN_READWRITE, 0);
  if (!opened) return tl::unexpected(opened.error());
  database_ = std::move(*opened);
  if (auto set = database_.run("PRAGMA synchronous=FULL;PRAGMA wal_autocheckpoint=0"); !set)
    return set;
  // What a killed daemon left goes into the database now.
  const std::int64_t left = file_bytes();
  if (left > 0) pages_ = std::max(every_pages, static_cast<int>(left / frame_bytes));
  thread_ = std::thread([this] { run(); });
  return {};
}

void Checkpointer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  database_.close();
}

std::int64_t Checkpointer::file_bytes() const {
  std::error_code missing;
  const auto size = std::filesystem::file_size(wal_path(folder_), missing);
  return missing ? 0 : static_cast<std::int64_t>(size);
}

void Checkpointer::log_has(int pages) {
  pages_ = pages;
  if (pages < every_pages) return;
  const std::lock_guard lock(mutex_);
  // SQLite counts pages from the log's start, and starts anew once all of it is in the database.
  if (pages < next_at_ - every_pages) next_at_ = every_pages;
  if (pages >= next_at_) changed_.notify_one();
}

Checkpointer::Pass Checkpointer::pass(sqlite::Database& database, int mode) {
  Pass done{0, 0, 0};
  done.code =
      sqlite3_wal_checkpoint_v2(database.handle(), nullptr, mode, &done.in_log, &done.copied);
  const bool bad = done.code != SQLITE_OK && (done.code & 0xff) != SQLITE_BUSY;
  const std::lock_guard lock(mutex_);
  if (bad && done.code != last_code_)
    log_warn("store", database.error(done.code, "cannot checkpoint the write-ahead log").message +
                          "; what was answered stays in the log, trying again every second");
  if (!bad && done.code == SQLITE_OK && last_code_ != SQLITE_OK)
    log_info("store", "the write-ahead log can be checkpointed again");
  if (bad || done.code == SQLITE_OK) last_code_ = done.code;
  return done;
}

void Checkpointer::take_in(const Pass& pass) {
  const bool copying = pass.code == SQLITE_OK && pass.in_log >= 0;
  const int left = copying ? pass.in_log - pass.copied : pages_.load();
  const bool gets_on = copying && pass.copied > copied_before_;
  copied_before_ = copying ? pass.copied : 0;
  if (copying && left <= every_pages / 2) {
    finish_due_ = true;
  } else if (gets_on && left > 0) {
    next_at_ = std::min(next_at_, pages_.load());  // the writer was faster: at once again
  } else {
    overdue_ = true;  // a reader is in the way, or the disk
    // Our own readers, one always under way, can be held back: the writer does.
    if (pages_ >= 2 * every_pages) finish_due_ = true;
  }
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto due = [this] { return stopping_ || (!finish_due_ && pages_ >= next_at_); };
    if (overdue_)
      changed_.wait_for(lock, 1s, due);
    else
      changed_.wait(lock, due);
    if (stopping_) return;
    if (finish_due_) continue;
    // With a reader in the way, trying at every commit would sort the whole log each time.
    next_at_ = pages_ + every_pages;
    overdue_ = false;
    copying_ = true;
    lock.unlock();
    const Pass done = pass(database_, SQLITE_CHECKPOINT_PASSIVE);
    lock.lock();
    copying_ = false;
    take_in(done);
    changed_.notify_all();
    lock.unlock();
    if (finish_due_) wake_writer_();
    tell_size();
    lock.lock();
  }
}

// On the writer thread, which therefore adds nothing meanwhile: at most half of `every_pages`.
void Checkpointer::finish(sqlite::Database& writer, ReaderPool& readers) {
  Pass done = pass(writer, SQLITE_CHECKPOINT_PASSIVE);
  bool complete = done.code == SQLITE_OK && done.in_log == done.copied;
  // Reads in a row, one always under way, keep the log from being copied to its end, or from
  // beginning anew: they are held back for a moment.
  const bool long_due = pages_ >= 2 * every_pages;
  bool cut = true;
  if (long_due || (complete && file_bytes() > kept_bytes + every_pages * frame_bytes)) {
    sqlite3_busy_timeout(writer.handle(), 0);
    cut = readers.pause(read_patience) &&
          pass(writer, SQLITE_CHECKPOINT_TRUNCATE).code == SQLITE_OK;
    readers.resume();
    complete = complete || cut;
    if (cut) pages_ = 0;
  }
  const std::lock_guard lock(mutex_);
  if (complete) ++checkpoints_;
  overdue_ = !complete || !cut;
  copied_before_ = 0;
  finish_due_ = false;
  if (told_bytes_ > 0 && complete && cut) {
    log_info("store", fmt::format("the write-ahead log is back to {} bytes", file_bytes()));
    told_bytes_ = 0;
  }
  changed_.notify_one();
}

void Checkpointer::wait_if_far_behind() {
  if (pages_ < most_pages) return;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, 1s, [this] { return !copying_ || finish_due_ || overdue_; });
}

void Checkpointer::tell_size() {
  const std::int64_t bytes = file_bytes();
  {
    const std::lock_guard lock(mutex_);
    if (bytes < first_warning_bytes || bytes < 2 * told_bytes_) return;
    told_bytes_ = bytes;
  }
  const std::string readers = readers_of_database(folder_);
  log_warn("store",
           fmt::format("the write-ahead log has grown to {} MB: {} reads an old state of the "
                       "database, which keeps the log from being emptied; end that program",
                       bytes >> 20, readers.empty() ? "another program" : readers));
}

}  // namespace aima
