// wal-reader: a read transaction in another process pins the WAL, so checkpoints cannot empty it.
#include "harness/clients/sqlite.h"
#include "harness/faults/common.h"
#include "harness/faults/rows.h"

namespace harness {
namespace {

StepShape shape_of_wal_reader() {
  return {"wal-reader",
          "fault",
          "A read-only reader pins the WAL so that it grows; proof: the lock that the kernel shows on it.",
          "",
          {{"database", ValueKind::text, false, "the file (the target's first)"}},
          false,
          false,
          "fault: {wal-reader: {}}"};
}

class WalReader : public PreparedFault {
 public:
  WalReader(Session& session, std::string database)
      : session_(session), database_(std::move(database)) {}
  Json undo() const override { return {{"fault", "wal-reader"}, {"database", database_}}; }

  Result<Json> strike(const Limit& limit) override {
    // With the daemon down the reader would do the recovery that the daemon is to be tested on.
    if (auto child = running_daemon(session_, "wal-reader"); !child)
      return tl::unexpected(child.error());
    auto held = holder_.hold(session_, "reader", database_, limit);
    if (!held) return tl::unexpected(held.error());
    const auto locks = holder_.locks_held(database_ + "-shm");
    if (!locks) return tl::unexpected(locks.error());
    if (locks->empty())
      return fail(ErrorKind::environment, "the reader (process " + std::to_string(holder_.pid()) +
                                              ") holds no lock on " + database_ +
                                              "-shm: the database is not in WAL mode");
    return Json{{"pid", holder_.pid()}, {"locks", *locks}, {"files", sqlite_files(database_)}};
  }
  Result<Json> heal(const Limit& limit) override { return holder_.release(limit); }

 private:
  Session& session_;
  std::string database_;
  Holder holder_;
};

Result<std::unique_ptr<PreparedFault>> prepare_wal_reader(Session& session,
                                                          const Arguments& arguments) {
  auto database = database_of(session, arguments, "wal-reader");
  if (!database) return tl::unexpected(database.error());
  return std::make_unique<WalReader>(session, *database);
}
}  // namespace

const Fault wal_reader_fault{shape_of_wal_reader, prepare_wal_reader, leave_holder_to_sweep};
}  // namespace harness
