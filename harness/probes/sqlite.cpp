// The `sqlite` probe: the daemon's database, looked at without touching it (clients/sqlite.h).
#include "harness/clients/sqlite.h"

#include <fmt/format.h>

#include "harness/probes/rows.h"

namespace harness {
namespace {

Result<std::string> database_of(const Session& session, const Arguments& arguments) {
  std::string text = arguments.text_or("database", "");
  if (text.empty() && !session.target.sqlite.empty()) text = session.target.sqlite.front();
  if (text.empty()) {
    return fail(ErrorKind::invalid, fmt::format("target {} names no `sqlite` file and the step no "
                                                "`database`", session.target.name));
  }
  return substitute(text, session.variables);
}

std::string first_message(const Json& verdict) {
  const auto& messages = verdict.value("messages", Json::array());
  return messages.empty() ? "no message" : messages.front().get<std::string>();
}

}  // namespace

StepShape sqlite_shape() {
  return {"sqlite",
          "probe",
          "The daemon's SQLite file: a query, its integrity, its pragmas, the size of its WAL.",
          "query",
          {{"query", ValueKind::text, false, "SQL; the rows as objects are the document"},
           {"integrity", ValueKind::text, false, "the check to run; damage fails the step",
            {"quick", "full"}},
           {"pragmas", ValueKind::boolean, false, "journal mode, versions, page count"},
           {"files", ValueKind::boolean, false, "bytes of database, WAL and shared memory file"},
           {"damage_allowed", ValueKind::boolean, false, "damage is only reported: .ok tells"},
           {"database", ValueKind::text, false, "default: the target's first"}},
          true,
          false,
          "- sqlite: {integrity: full}\n  criterion: 4",
          "integrity"};
}

Result<Observation> sqlite_look(Session& session, const Arguments& arguments, const Limit& limit) {
  auto database = database_of(session, arguments);
  if (!database) return tl::unexpected(database.error());
  SqliteLook look{*database, session.workspace->scratch(), session.daemon_running()};
  Observation seen;
  Result<Json> document = fail(ErrorKind::invalid, "sqlite: name one of query, integrity, pragmas, files");
  if (arguments.has("query")) {
    auto query = arguments.text("query");
    if (!query) return tl::unexpected(query.error());
    seen.command = fmt::format("sqlite3 {} \"{}\"", *database, *query);
    document = sqlite_query(look, *query, limit);
  } else if (arguments.has("integrity")) {
    bool full = arguments.text_or("integrity", "full") == "full";
    seen.command = fmt::format("sqlite3 {} \"PRAGMA {}_check;\"", *database, full ? "integrity" : "quick");
    document = sqlite_integrity(look, full, limit);
  } else if (arguments.has("pragmas")) {
    seen.command = fmt::format("sqlite3 {} \"PRAGMA …\"", *database);
    document = sqlite_pragmas(look, limit);
  } else if (arguments.has("files")) {
    seen.command = fmt::format("ls -l {}*", *database);
    document = sqlite_files(*database);
  }
  if (!document) return tl::unexpected(document.error());
  seen.document = *document;
  std::string shown = seen.document.dump(-1, ' ', false, Json::error_handler_t::replace);
  seen.summary = shown.size() > 160 ? shown.substr(0, 160) + "…" : shown;
  seen.evidence.push_back(session.recorder->evidence("sqlite.txt", seen.command + "\n" + shown));
  if (arguments.has("integrity")) {
    bool ok = seen.document.value("ok", false);
    seen.summary = ok ? "integrity: ok" : "integrity: " + first_message(seen.document);
    if (!ok && !arguments.boolean_or("damage_allowed", false)) {
      return fail(ErrorKind::subject, fmt::format("{}: expected ok, found: {}", seen.command,
                                                  first_message(seen.document)));
    }
  }
  return seen;
}
}  // namespace harness
