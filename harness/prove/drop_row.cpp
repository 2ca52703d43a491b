// drop-row: with the daemon down, the newest row of a table that the run filled is deleted.
#include <fmt/format.h>

#include "harness/clients/sqlite.h"
#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/database.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

std::vector<Place> places_to_drop(const ProofSubject& subject) {
  const Course course(subject);
  const Json* first = course.first_survey();
  std::vector<Place> places;
  for (const Passage* gap : course.gaps_before_reading()) {
    if (!gap->survey || !gap->survey->contains("tables")) continue;
    for (const auto& [table, rows] : (*gap->survey)["tables"].items()) {
      const std::int64_t before = first ? (*first)["tables"].value(table, std::int64_t{0}) : 0;
      if (rows.get<std::int64_t>() > before) places.push_back({table, gap->step->path});
    }
  }
  return places;
}

std::string first_of(const std::string& text, std::size_t most) {
  return text.size() <= most ? text : text.substr(0, most) + "…";
}

Result<std::string> drop_newest(Live& live, const std::string& table, const Limit& limit) {
  auto file = database_file(live);
  if (!file) return tl::unexpected(file.error());
  const SqliteLook look{*file, live.session.workspace->scratch(), false};
  const std::string name = quoted_name(table);
  const std::string newest = fmt::format("rowid = (SELECT max(rowid) FROM {})", name);
  auto row = sqlite_query(look, fmt::format("SELECT * FROM {} WHERE {}", name, newest), limit);
  if (!row) return tl::unexpected(row.error());
  if (row->empty()) return fail(ErrorKind::environment, fmt::format("{} has no row", table));
  if (auto done =
          change_database(*file, fmt::format("DELETE FROM {} WHERE {}", name, newest), limit);
      !done) {
    return tl::unexpected(done.error());
  }
  // What the daemon will find: a trigger may have put it back.
  const Json& dropped = row->front();
  auto left = rows_by_table(live, limit);
  auto again = sqlite_query(look, fmt::format("SELECT * FROM {} WHERE {}", name, newest), limit);
  if (!left || !again) return fail(ErrorKind::environment, "the database cannot be read any more");
  if (!again->empty() && again->front() == dropped) {
    return fail(ErrorKind::environment, fmt::format("the row of {} is still there", table));
  }
  const std::string shown = dropped.dump(-1, ' ', false, Json::error_handler_t::replace);
  return fmt::format("deleted the newest row of {} ({} left): {}", table, (*left)[table],
                     first_of(shown, 120));
}

std::unique_ptr<Strike> drop(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::in_gap,
                     [table = place.detail](Live& live, const Limit& limit) {
                       return drop_newest(live, table, limit);
                     });
}

}  // namespace

const WorldSabotage drop_row = {
    "drop-row", "with the daemon down, the newest row of a table that the run filled is deleted",
    places_to_drop, drop};
}  // namespace harness
