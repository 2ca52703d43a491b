#include "daemon/store/schema.h"

#include <fmt/format.h>

#include <array>

#include "daemon/log/log.h"

namespace aima {
namespace {

// `seq` is the creation order. The index on it looks redundant, but it is small: skipping 100,000
// rows for an OFFSET walks it instead of every page of bodies.
// An equality on an indexed column gives its rows in `seq` order without a sort.
// A migration is never edited after a release: add a new one at the end, and nothing else.
const std::array<const char*, 3> migrations{
    R"sql(
CREATE TABLE models (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
  status TEXT, type TEXT, source TEXT, format TEXT, created_at TEXT, body TEXT NOT NULL);
CREATE INDEX models_order ON models(seq);
CREATE INDEX models_status ON models(status);
CREATE INDEX models_type ON models(type);
CREATE INDEX models_source ON models(source);
CREATE INDEX models_status_type ON models(status, type);

CREATE TABLE services (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT,
  model_id TEXT NOT NULL REFERENCES models(id) ON DELETE RESTRICT,
  status TEXT, engine_type TEXT, provider TEXT, created_at TEXT, body TEXT NOT NULL);
CREATE INDEX services_order ON services(seq);
CREATE INDEX services_model ON services(model_id);
CREATE INDEX services_status ON services(status);
CREATE INDEX services_engine_type ON services(engine_type);

CREATE TABLE recipes (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
  engine_type TEXT, created_at TEXT, body TEXT NOT NULL);
CREATE INDEX recipes_order ON recipes(seq);

CREATE TABLE skills (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
  category TEXT, source TEXT, created_at TEXT, body TEXT NOT NULL);
CREATE INDEX skills_order ON skills(seq);

CREATE TABLE pipelines (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
  created_at TEXT, body TEXT NOT NULL);
CREATE INDEX pipelines_order ON pipelines(seq);

CREATE TABLE pipeline_runs (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT,
  pipeline_id TEXT NOT NULL, status TEXT, created_at TEXT, body TEXT NOT NULL);
CREATE INDEX pipeline_runs_order ON pipeline_runs(seq);
CREATE INDEX pipeline_runs_pipeline ON pipeline_runs(pipeline_id);
CREATE INDEX pipeline_runs_status ON pipeline_runs(status);

CREATE TABLE alerts (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
  severity TEXT, created_at TEXT, body TEXT NOT NULL);
CREATE INDEX alerts_order ON alerts(seq);
)sql",
    R"sql(
CREATE TABLE idempotency_keys (
  seq INTEGER PRIMARY KEY, client TEXT NOT NULL, key TEXT NOT NULL, unit TEXT NOT NULL,
  fingerprint TEXT NOT NULL, status INTEGER NOT NULL, kept_at INTEGER NOT NULL,
  answer TEXT NOT NULL, UNIQUE (client, key));
CREATE INDEX idempotency_keys_kept_at ON idempotency_keys(kept_at);
)sql",
    // How many models there are of each status, type and source: counting 100,000 index entries for
    // a list's `total` would take longer than the list. Triggers keep it, so that it is right in
    // every snapshot, whoever writes. An empty blob, which equals no text, stands for null.
    R"sql(
CREATE TABLE model_counts (
  status TEXT NOT NULL, type TEXT NOT NULL, source TEXT NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(status, type, source)) WITHOUT ROWID;
INSERT INTO model_counts
  SELECT IFNULL(status,x''), IFNULL(type,x''), IFNULL(source,x''), COUNT(*)
  FROM models GROUP BY 1, 2, 3;
CREATE TRIGGER models_counted_in AFTER INSERT ON models BEGIN
  INSERT INTO model_counts
    VALUES(IFNULL(new.status,x''), IFNULL(new.type,x''), IFNULL(new.source,x''), 1)
    ON CONFLICT(status, type, source) DO UPDATE SET n=n+1;
END;
CREATE TRIGGER models_counted_out AFTER DELETE ON models BEGIN
  UPDATE model_counts SET n=n-1 WHERE status=IFNULL(old.status,x'')
    AND type=IFNULL(old.type,x'') AND source=IFNULL(old.source,x'');
  DELETE FROM model_counts WHERE n<=0 AND status=IFNULL(old.status,x'')
    AND type=IFNULL(old.type,x'') AND source=IFNULL(old.source,x'');
END;
CREATE TRIGGER models_counted_over AFTER UPDATE OF status, type, source ON models
WHEN old.status IS NOT new.status OR old.type IS NOT new.type OR old.source IS NOT new.source BEGIN
  UPDATE model_counts SET n=n-1 WHERE status=IFNULL(old.status,x'')
    AND type=IFNULL(old.type,x'') AND source=IFNULL(old.source,x'');
  DELETE FROM model_counts WHERE n<=0 AND status=IFNULL(old.status,x'')
    AND type=IFNULL(old.type,x'') AND source=IFNULL(old.source,x'');
  INSERT INTO model_counts
    VALUES(IFNULL(new.status,x''), IFNULL(new.type,x''), IFNULL(new.source,x''), 1)
    ON CONFLICT(status, type, source) DO UPDATE SET n=n+1;
END;
)sql"};
}  // namespace

int schema_version() { return static_cast<int>(migrations.size()); }

const Table& table_of(Domain domain) {
  static const std::array<Table, 7> tables{
      Table{"models",
            true,
            {"name", "status", "type", "source", "format", "created_at"},
            "model_counts",
            {"status", "type", "source"}},
      Table{"services",
            false,
            {"name", "model_id", "status", "engine_type", "provider", "created_at"}},
      Table{"recipes", true, {"name", "engine_type", "created_at"}},
      Table{"skills", true, {"name", "category", "source", "created_at"}},
      Table{"pipelines", true, {"name", "created_at"}},
      Table{"pipeline_runs", false, {"name", "pipeline_id", "status", "created_at"}},
      Table{"alerts", true, {"name", "severity", "created_at"}}};
  return tables[static_cast<std::size_t>(domain)];
}

Result<void> migrate(sqlite::Database& database, int from) {
  const auto run = [&](const std::string& sql) { return database.run(sql.c_str()); };
  auto done = run("BEGIN IMMEDIATE");
  int version = from;
  while (done && version < schema_version())
    done = run(migrations[static_cast<std::size_t>(version++)]);
  if (done)
    done = run(fmt::format("PRAGMA application_id={};PRAGMA user_version={};COMMIT",
                           application_id, schema_version()));
  if (done) return {};
  Error error = done.error();
  // The failed script itself is too long for a log line.
  error.message = fmt::format("schema {} cannot be written: {}", version,
                              sqlite3_errmsg(database.handle()));
  if (!sqlite3_get_autocommit(database.handle())) (void)database.run("ROLLBACK");
  return tl::unexpected(error);
}

Result<void> check_counts(sqlite::Database& database) {
  auto off = database.number(
      "SELECT (SELECT COUNT(*) FROM models)-(SELECT IFNULL(SUM(n),0) FROM model_counts)");
  if (!off) return tl::unexpected(off.error());
  if (*off == 0) return {};
  log_warn("store", fmt::format("the counts of models were off by {}: counting anew", *off));
  auto counted = database.run(
      "BEGIN IMMEDIATE;DELETE FROM model_counts;INSERT INTO model_counts "
      "SELECT IFNULL(status,x''),IFNULL(type,x''),IFNULL(source,x''),COUNT(*) FROM models "
      "GROUP BY 1,2,3;COMMIT");
  if (!counted && !sqlite3_get_autocommit(database.handle())) (void)database.run("ROLLBACK");
  return counted;
}
}  // namespace aima
