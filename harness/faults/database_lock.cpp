// database-lock: another process holds SQLite's own lock on the database.
#include "harness/faults/common.h"
#include "harness/faults/rows.h"

namespace harness {
namespace {

StepShape shape_of_database_lock() {
  return {"database-lock",
          "fault",
          "Another process locks the database: exclusively with the daemon down, its writers out "
          "with the daemon up; proof: the lock that the kernel shows.",
          "",
          {{"database", ValueKind::text, false, "the file (the target's first)"}},
          false,
          false,
          "fault: {database-lock: {}}"};
}

class DatabaseLock : public PreparedFault {
 public:
  DatabaseLock(Session& session, std::string database)
      : session_(session), database_(std::move(database)) {}
  Json undo() const override { return {{"fault", "database-lock"}, {"database", database_}}; }

  Result<Json> strike(const Limit& limit) override {
    auto held = holder_.hold(session_, "lock", database_, limit);
    if (!held) return tl::unexpected(held.error());
    const bool exclusive = *held == "holding exclusive";
    const std::string file = exclusive ? database_ : database_ + "-shm";
    const auto locks = holder_.locks_held(file);
    if (!locks) return tl::unexpected(locks.error());
    if (locks->empty())
      return fail(ErrorKind::environment, "the kernel lists no lock of process " +
                                              std::to_string(holder_.pid()) + " on " + file);
    return Json{{"pid", holder_.pid()},
                {"lock", exclusive ? "exclusive" : "write"},
                {"file", file},
                {"locks", *locks}};
  }
  Result<Json> heal(const Limit& limit) override { return holder_.release(limit); }

 private:
  Session& session_;
  std::string database_;
  Holder holder_;
};

Result<std::unique_ptr<PreparedFault>> prepare_database_lock(Session& session,
                                                             const Arguments& arguments) {
  auto database = database_of(session, arguments, "database-lock");
  if (!database) return tl::unexpected(database.error());
  return std::make_unique<DatabaseLock>(session, *database);
}
}  // namespace

const Fault database_lock_fault{shape_of_database_lock, prepare_database_lock,
                                leave_holder_to_sweep};
}  // namespace harness
