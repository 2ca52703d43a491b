#include "daemon/store/schema.h"

#include <fmt/format.h>

#include <array>

namespace aima {
namespace {

// `seq` is the creation order. The index on it looks redundant, but it is small: skipping 100,000
// rows for an OFFSET walks it instead of every page of bodies.
// An equality on an indexed column gives its rows in `seq` order without a sort.
// A migration is never edited after a release: add a new one.
const std::array<const char*, 2> migrations{
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
)sql"};
}  // namespace

int schema_version() { return static_cast<int>(migrations.size()); }

const Table& table_of(Domain domain) {
  static const std::array<Table, 7> tables{
      Table{"models", true, {"name", "status", "type", "source", "format", "created_at"}},
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
  for (int version = from + 1; version <= schema_version(); ++version) {
    const std::string sql =
        fmt::format("BEGIN IMMEDIATE;{}PRAGMA application_id={};PRAGMA user_version={};COMMIT;",
                    migrations[static_cast<std::size_t>(version - 1)], application_id, version);
    if (auto done = database.run(sql.c_str()); !done) {
      Error error = done.error();
      if (!sqlite3_get_autocommit(database.handle())) (void)database.run("ROLLBACK");
      // The failed script itself is too long for a log line.
      error.message = fmt::format("cannot bring the database to schema version {}: {}", version,
                                  sqlite3_errmsg(database.handle()));
      return tl::unexpected(error);
    }
  }
  return {};
}
}  // namespace aima
