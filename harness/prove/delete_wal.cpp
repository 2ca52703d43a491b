// delete-wal: with the daemon down, the write-ahead log is deleted.
#include "harness/prove/lose_wal.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

std::unique_ptr<Strike> strike_log(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::in_gap, lose_wal);
}

}  // namespace

const WorldSabotage delete_wal = {"delete-wal",
                                  "with the daemon down, the write-ahead log is deleted",
                                  gaps_with_wal, strike_log};
}  // namespace harness
