#include "daemon/store/kept_answers.h"

#include <fmt/format.h>

#include <chrono>

namespace aima {
namespace {
// Rows that one kept answer may clear away: more than the one it adds, so that the table shrinks to
// what is younger than a day, and few, so that no write waits for a great cleaning.
constexpr std::int64_t purge_batch = 64;

// Wall time at the start plus what has passed since: a clock that is set while the daemon runs
// neither ends a key early nor keeps it long.
std::function<std::int64_t()> clock_since_start() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  const auto wall = duration_cast<milliseconds>(since_1970);
  const auto began = std::chrono::steady_clock::now();
  return [wall, began] {
    return (wall + duration_cast<milliseconds>(std::chrono::steady_clock::now() - began)).count();
  };
}

std::string encode_answer(const Result<Json>& answer) {
  const auto text = [](const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  if (answer) return text(*answer);
  const Error& error = answer.error();
  return text(
      Json{{"code", error.code}, {"message", error.message}, {"details", error.details}});
}

Result<KeptAnswer> decode_answer(std::string unit, std::string fingerprint, std::int64_t status,
                                 const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded())
    return fail(503, "store_corrupt",
                "a row of table 'idempotency_keys' does not hold JSON; restore the database from a "
                "backup");
  KeptAnswer kept{std::move(unit), std::move(fingerprint), Json(nullptr)};
  if (status == 200)
    kept.answer = std::move(json);
  else
    kept.answer = tl::unexpected(Error{static_cast<int>(status), json.value("code", ""),
                                       json.value("message", ""), json["details"]});
  return kept;
}

int status_of(const Result<Json>& answer) { return answer ? 200 : answer.error().http_status; }

std::string memory_id(const AnswerKey& key) { return key.client + '\n' + key.key; }

tl::unexpected<Error> answered_already(const AnswerKey& key) {
  return fail(409, "idempotency_in_progress",
              fmt::format("Idempotency-Key '{}' was answered meanwhile: ask again", key.key));
}
}  // namespace

bool is_worth_keeping(const Result<Json>& answer) {
  if (answer) return true;
  const Error& error = answer.error();
  const int status = error.http_status;
  return status > 400 && status < 500 && status != 408 && status != 429 && error.code != "busy" &&
         error.code != "idempotency_in_progress";
}

KeptAnswers::KeptAnswers(KeyOptions options)
    : options_([&] {
        if (!options.now_ms) options.now_ms = clock_since_start();
        return std::move(options);
      }()) {}

bool KeptAnswers::is_over(std::int64_t kept_at, std::int64_t now) const {
  return now - kept_at >= options_.lifetime.count();
}

Result<std::int64_t> KeptAnswers::change(sqlite::Database& database, const std::string& sql,
                                         std::int64_t first, std::int64_t second) const {
  auto statement = database.statement(sql);
  if (!statement) return tl::unexpected(statement.error());
  statement->bind(1, first);
  statement->bind(2, second);
  const int code = statement->step();
  if (code != SQLITE_DONE)
    return tl::unexpected(database.error(code, "cannot clear old idempotency keys"));
  return sqlite3_changes(database.handle());
}

Result<void> KeptAnswers::purge(sqlite::Database& database, std::int64_t now) {
  if (in_sqlite_ < 0) {
    auto count = database.number("SELECT COUNT(*) FROM idempotency_keys");
    if (!count) return tl::unexpected(count.error());
    in_sqlite_ = *count;
  }
  auto gone = change(database,
                     "DELETE FROM idempotency_keys WHERE seq IN (SELECT seq FROM idempotency_keys "
                     "WHERE kept_at<=?1 ORDER BY kept_at LIMIT ?2)",
                     now - options_.lifetime.count(), purge_batch);
  if (!gone) return tl::unexpected(gone.error());
  in_sqlite_ -= *gone;
  // Kept before the clock was set back: else they would stay until it is that time again.
  auto aged = change(database,
                     "UPDATE idempotency_keys SET kept_at=?1 WHERE seq IN (SELECT seq FROM "
                     "idempotency_keys WHERE kept_at>?1 ORDER BY kept_at DESC LIMIT ?2)",
                     now, purge_batch);
  if (!aged) return tl::unexpected(aged.error());
  return {};
}

Result<void> KeptAnswers::keep(sqlite::Database& database, const AnswerKey& key,
                               const Result<Json>& answer) {
  const std::int64_t now = options_.now_ms();
  if (auto purged = purge(database, now); !purged) return purged;
  {
    auto old = database.statement(
        "DELETE FROM idempotency_keys WHERE client=? AND key=? AND kept_at<=?");
    if (!old) return tl::unexpected(old.error());
    old->bind(1, key.client);
    old->bind(2, key.key);
    old->bind(3, now - options_.lifetime.count());
    const int code = old->step();
    if (code != SQLITE_DONE)
      return tl::unexpected(database.error(code, "cannot replace the old idempotency key"));
    in_sqlite_ -= sqlite3_changes(database.handle());
  }
  auto statement = database.statement(
      "INSERT INTO idempotency_keys(client,key,unit,fingerprint,status,kept_at,answer) "
      "VALUES(?,?,?,?,?,?,?)");
  if (!statement) return tl::unexpected(statement.error());
  const std::string text = encode_answer(answer);
  statement->bind(1, key.client);
  statement->bind(2, key.key);
  statement->bind(3, key.unit);
  statement->bind(4, key.fingerprint);
  statement->bind(5, std::int64_t{status_of(answer)});
  statement->bind(6, now);
  statement->bind(7, text);
  const int code = statement->step();
  if ((code & 0xff) == SQLITE_CONSTRAINT) return answered_already(key);
  if (code != SQLITE_DONE)
    return tl::unexpected(database.error(code, "cannot keep the idempotency key"));
  ++in_sqlite_;
  return {};
}

void KeptAnswers::purge(MemoryTable& table, std::int64_t now) {
  for (std::int64_t n = 0; n < purge_batch && !in_memory_.empty(); ++n) {
    const InMemory& oldest = in_memory_.front();
    if (!is_over(oldest.kept_at, now)) return;
    // Its row may be gone with a group that failed, or be a younger one.
    const auto row = table.working().get(oldest.id);
    if (row && (*row)["kept_at"] == oldest.kept_at) table.change(oldest.id, nullptr);
    memory_bytes_ -= oldest.bytes;
    --memory_keys_;
    in_memory_.pop_front();
  }
}

Result<void> KeptAnswers::keep(MemoryTable& table, const AnswerKey& key,
                               const Result<Json>& answer) {
  const std::int64_t now = options_.now_ms();
  std::string id = memory_id(key);
  const auto old = table.working().get(id);
  if (old && !is_over((*old)["kept_at"].get<std::int64_t>(), now)) return answered_already(key);
  purge(table, now);
  auto row = std::make_shared<const Json>(Json{{"unit", key.unit},
                                               {"fingerprint", key.fingerprint},
                                               {"status", status_of(answer)},
                                               {"kept_at", now},
                                               {"answer", encode_answer(answer)}});
  const std::size_t bytes =
      2 * id.size() + (*row)["answer"].get_ref<const std::string&>().size() + 512;
  table.change(id, std::move(row));
  in_memory_.push_back({std::move(id), now, bytes});
  ++memory_keys_;
  memory_bytes_ += bytes;
  memory_oldest_ = in_memory_.front().kept_at;
  return {};
}

void KeptAnswers::group_failed() { in_sqlite_ = -1; }

Result<std::optional<KeptAnswer>> KeptAnswers::find(sqlite::Database& database,
                                                    const AnswerKey& key) const {
  auto statement = database.statement(
      "SELECT kept_at,unit,fingerprint,status,answer FROM idempotency_keys WHERE client=? AND "
      "key=?");
  if (!statement) return tl::unexpected(statement.error());
  statement->bind(1, key.client);
  statement->bind(2, key.key);
  const int code = statement->step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return tl::unexpected(database.error(code, "cannot read the store"));
  if (is_over(statement->integer(0), options_.now_ms())) return std::nullopt;
  auto kept = decode_answer(statement->text(1), statement->text(2), statement->integer(3),
                            statement->text(4));
  if (!kept) return tl::unexpected(kept.error());
  return std::optional<KeptAnswer>(std::move(*kept));
}

std::optional<KeptAnswer> KeptAnswers::find(const MemoryTable& table, const AnswerKey& key) const {
  const auto row = table.get(memory_id(key));
  if (!row || is_over((*row)["kept_at"].get<std::int64_t>(), options_.now_ms())) return {};
  auto kept = decode_answer((*row)["unit"], (*row)["fingerprint"], (*row)["status"],
                            (*row)["answer"].get_ref<const std::string&>());
  if (!kept) return std::nullopt;  // cannot be: this process wrote it
  return std::move(*kept);
}

Result<void> KeptAnswers::room(sqlite::Database& database, StoreKind kind) const {
  std::int64_t oldest = memory_oldest_;
  if (kind == StoreKind::sqlite) {
    if (in_sqlite_ < static_cast<std::int64_t>(options_.most_in_sqlite)) return {};
    auto found = database.number("SELECT MIN(kept_at) FROM idempotency_keys");
    if (!found) return tl::unexpected(found.error());
    oldest = *found;
  } else if (memory_keys_ < options_.most_in_memory &&
             memory_bytes_ < options_.most_memory_bytes) {
    return {};
  }
  // What is over goes with the write that is let through.
  if (is_over(oldest, options_.now_ms())) return {};
  return fail(429, "too_many_keys",
              fmt::format("the {} store holds as many idempotency keys of the last 24 h as it may: "
                          "ask without a key, or later",
                          kind == StoreKind::sqlite ? "SQLite" : "memory"));
}
}  // namespace aima
