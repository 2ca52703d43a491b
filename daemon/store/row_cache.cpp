#include "daemon/store/row_cache.h"

#include <atomic>
#include <utility>

namespace aima {
namespace {
constexpr int wal_index_region = 32 * 1024;  // bytes; the first begins with the header
constexpr std::size_t change_counter = 2;    // word of WalState: iChange
constexpr std::size_t row_overhead = 160;    // of a map's node, the id and the control block
}  // namespace

void RowCache::watch(sqlite::Database& database) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(database.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
          SQLITE_OK ||
      file == nullptr || file->pMethods == nullptr || file->pMethods->iVersion < 2)
    return;
  // SQLite's own mapping, already there: opening the -shm file ourselves would drop SQLite's locks
  // at our close (fcntl locks belong to the process).
  void volatile* region = nullptr;
  if (file->pMethods->xShmMap(file, 0, wal_index_region, 0, &region) != SQLITE_OK) return;
  const std::lock_guard lock(mutex_);
  header_ = static_cast<const volatile std::uint32_t*>(region);
}

void RowCache::unwatch() {
  const std::lock_guard lock(mutex_);
  header_ = nullptr;
  clear();
}

std::optional<WalState> RowCache::state() {
  const std::lock_guard lock(mutex_);
  return read_state();
}

std::optional<WalState> RowCache::read_state() const {
  if (header_ == nullptr) return std::nullopt;
  WalState first{};
  WalState second{};
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = header_[i];
  // A commit is published in the second copy first: who finds both equal and unchanged began
  // before any reader could see the commit.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (std::size_t i = 0; i < second.size(); ++i) second[i] = header_[first.size() + i];
  if (first != second) return std::nullopt;
  return first;
}

RowText RowCache::find(Domain domain, const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (read_state() != valid_for_) return nullptr;
  if (const auto row = young_.find(id); row != young_.end())
    return row->second.domain == domain ? row->second.text : nullptr;
  const auto row = old_.find(id);
  if (row == old_.end() || row->second.domain != domain) return nullptr;
  Row found = std::move(row->second);
  old_.erase(row);
  RowText text = found.text;
  keep(id, std::move(found));
  return text;
}

void RowCache::put(Domain domain, const std::string& id, RowText text,
                   const std::optional<WalState>& before) {
  if (!before || !text || text->size() > most_bytes_of_row) return;
  const std::lock_guard lock(mutex_);
  if (read_state() != before) return;
  if (valid_for_ != *before) {
    clear();
    valid_for_ = *before;
  }
  keep(id, {domain, std::move(text)});
}

void RowCache::committed(const std::optional<WalState>& before,
                         const std::vector<std::string>& changed) {
  if (!before) return;
  const std::lock_guard lock(mutex_);
  if (valid_for_ != *before) return;  // what is cached is of no use any more: `put` empties it
  const auto now = read_state();
  // More than one commit: another program's was among them, and who knows what it changed.
  if (!now || (*now)[change_counter] != (*before)[change_counter] + 1) return;
  for (const auto& id : changed) {
    young_.erase(id);
    old_.erase(id);
  }
  valid_for_ = *now;
}

void RowCache::keep(const std::string& id, Row row) {
  young_bytes_ += row.text->size() + row_overhead;
  young_.insert_or_assign(id, std::move(row));
  if (young_bytes_ < most_bytes) return;
  old_ = std::exchange(young_, {});
  young_bytes_ = 0;
}

void RowCache::clear() {
  young_.clear();
  old_.clear();
  young_bytes_ = 0;
}

}  // namespace aima
