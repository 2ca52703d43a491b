// truncate-wal: with the daemon down, the last committed transaction is cut off the write-ahead
// log.
#include <fmt/format.h>

#include "harness/prove/database.h"
#include "harness/prove/lose_wal.h"
#include "harness/prove/rows.h"
#include "harness/prove/wal.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t bare_log_bytes = 32;  // without a frame: a log that nothing was committed to

// Rows of all tables; nothing where they cannot be counted.
std::optional<std::int64_t> all_rows(Live& live, const Limit& limit) {
  auto rows = rows_by_table(live, limit);
  if (!rows) return std::nullopt;
  std::int64_t sum = 0;
  for (const auto& [table, count] : *rows) sum += count;
  return sum;
}

Result<std::string> cut_newest_row(Live& live, const Limit& limit) {
  auto file = database_file(live);
  if (!file) return tl::unexpected(file.error());
  const std::string log = *file + "-wal";
  const WalLayout layout = read_wal(log);
  if (layout.commits.empty()) {
    return fail(ErrorKind::environment, "the write-ahead log holds no transaction");
  }
  const auto before = all_rows(live, limit);
  if (!before) return fail(ErrorKind::environment, "the database cannot be read");
  const fs::path copy = live.session.workspace->scratch() / "wal-before-the-cut";
  std::error_code error;
  fs::copy_file(log, copy, fs::copy_options::overwrite_existing, error);
  const std::size_t commits = layout.commits.size();
  for (std::size_t cut = 1; cut <= commits && !error; ++cut) {
    const auto kept = cut < commits ? layout.commits[commits - cut - 1] : bare_log_bytes;
    fs::resize_file(log, kept, error);
    const auto left = all_rows(live, limit);
    if (error || (left && *left >= *before)) continue;
    fs::remove(copy, error);
    return fmt::format(
        "cut the last {} of {} transactions off the write-ahead log: {} rows in place "
        "of {}",
        cut, commits, left ? std::to_string(*left) : "no", *before);
  }
  if (error) {
    return fail(ErrorKind::environment, fmt::format("cannot cut {}: {}", log, error.message()));
  }
  fs::copy_file(copy, log, fs::copy_options::overwrite_existing, error);
  fs::remove(copy, error);
  return fail(ErrorKind::environment, "no row was written by what the write-ahead log holds");
}

std::unique_ptr<Strike> truncate_log(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::in_gap, cut_newest_row);
}

}  // namespace

const WorldSabotage truncate_wal = {
    "truncate-wal",
    "with the daemon down, the write-ahead log ends before the newest row was written",
    gaps_with_wal, truncate_log};
}  // namespace harness
