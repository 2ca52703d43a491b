// truncate-wal: with the daemon down, the last committed transaction is cut off the write-ahead
// log.
#include <fmt/format.h>

#include "harness/prove/database.h"
#include "harness/prove/lose_wal.h"
#include "harness/prove/rows.h"
#include "harness/prove/wal.h"

namespace harness {
namespace {

Result<std::string> cut_last_transaction(Live& live, const Limit& limit) {
  auto file = database_file(live);
  if (!file) return tl::unexpected(file.error());
  const WalLayout log = read_wal(*file + "-wal");
  if (log.commits.empty())
    return fail(ErrorKind::environment, "the write-ahead log holds no transaction");
  // The header stays: 32 bytes without a frame are a log that nothing was committed to.
  const std::uintmax_t kept = log.commits.size() > 1 ? log.commits[log.commits.size() - 2] : 32;
  return lose_wal(
      live, kept,
      fmt::format("cut the last of {} transactions off the write-ahead log, {} of {} bytes "
                  "left",
                  log.commits.size(), kept, log.bytes),
      limit);
}

std::unique_ptr<Strike> truncate_log(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::in_gap, cut_last_transaction);
}

}  // namespace

const WorldSabotage truncate_wal = {
    "truncate-wal", "with the daemon down, the last transaction is cut off the write-ahead log",
    gaps_with_wal, truncate_log};
}  // namespace harness
