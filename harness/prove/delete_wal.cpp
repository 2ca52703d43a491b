// delete-wal: with the daemon down, the write-ahead log is deleted.
#include <fmt/format.h>

#include "harness/prove/database.h"
#include "harness/prove/lose_wal.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

Result<std::string> delete_log(Live& live, const Limit& limit) {
  auto file = database_file(live);
  if (!file) return tl::unexpected(file.error());
  const auto bytes = bytes_of(*file + "-wal");
  if (bytes == 0) return fail(ErrorKind::environment, "there is no write-ahead log");
  return lose_wal(live, 0, fmt::format("deleted the write-ahead log of {} bytes", bytes), limit);
}

std::unique_ptr<Strike> strike_log(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::in_gap, delete_log);
}

}  // namespace

const WorldSabotage delete_wal = {"delete-wal",
                                  "with the daemon down, the write-ahead log is deleted",
                                  gaps_with_wal, strike_log};
}  // namespace harness
