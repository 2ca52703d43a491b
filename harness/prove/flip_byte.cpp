// flip-byte: with the daemon down, a byte of the database is written over.
//
// Detail "header": the count of free pages in the file's header (byte 39), which a full check
// compares with the list of them. Detail "page": the kind of a table's first page. Where the
// write-ahead log holds a newer copy of the page the damage would not be in force, so the log is
// written back first; the damage counts once a check of a copy sees it.
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>

#include <algorithm>

#include "harness/base/unique_fd.h"
#include "harness/clients/sqlite.h"
#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/database.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

constexpr off_t free_pages_at = 39;

std::vector<Place> places_to_flip(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  for (const Passage* gap : course.gaps_before_checking()) {
    if (!gap->survey || !gap->survey->contains("tables")) continue;
    places.push_back({"header", gap->step->path});
    const Json& tables = (*gap->survey)["tables"];
    const bool rows =
        std::any_of(tables.begin(), tables.end(), [](const Json& n) { return n > 0; });
    if (rows) places.push_back({"page", gap->step->path});
  }
  return places;
}

Result<void> flip_at(const std::string& file, off_t at) {
  const UniqueFd descriptor(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  unsigned char byte = 0;
  bool done = descriptor && ::pread(descriptor.get(), &byte, 1, at) == 1;
  byte = static_cast<unsigned char>(~byte);
  done = done && ::pwrite(descriptor.get(), &byte, 1, at) == 1 && ::fsync(descriptor.get()) == 0;
  if (done) return {};
  return fail(ErrorKind::environment, fmt::format("cannot write over byte {} of {}: {}", at, file,
                                                  ::strerrordesc_np(errno)));
}

// The first page of the first table with rows.
Result<off_t> page_of_a_table(Live& live, const SqliteLook& look, const Limit& limit) {
  auto rows = rows_by_table(live, limit);
  if (!rows) return tl::unexpected(rows.error());
  auto pragmas = sqlite_query(look, "PRAGMA page_size", limit);
  if (!pragmas) return tl::unexpected(pragmas.error());
  for (const auto& [table, count] : *rows) {
    if (count == 0) continue;
    auto root = sqlite_query(
        look, fmt::format("SELECT rootpage FROM sqlite_schema WHERE name = '{}'", table), limit);
    if (!root || root->empty()) continue;
    return static_cast<off_t>((root->front()["rootpage"].get<std::int64_t>() - 1) *
                              pragmas->front()["page_size"].get<std::int64_t>());
  }
  return fail(ErrorKind::environment, "no table has a row");
}

Result<std::string> flip_one(Live& live, const std::string& what, const Limit& limit) {
  auto file = database_file(live);
  if (!file) return tl::unexpected(file.error());
  const SqliteLook look{*file, live.session.workspace->scratch(), false};
  off_t at = free_pages_at;
  if (what == "page") {
    auto page = page_of_a_table(live, look, limit);
    if (!page) return tl::unexpected(page.error());
    at = *page;
  }
  std::string first;
  for (const bool written_back : {false, true}) {
    if (written_back) {
      if (auto back = change_database(*file, "PRAGMA wal_checkpoint(TRUNCATE)", limit); !back) {
        return tl::unexpected(back.error());
      }
      first = "wrote the write-ahead log back, ";
    }
    if (auto flipped = flip_at(*file, at); !flipped) return tl::unexpected(flipped.error());
    auto check = sqlite_integrity(look, true, limit);
    if (check && !check->value("ok", true)) {
      const Json& messages = (*check)["messages"];
      std::string said = messages.empty() ? "damaged" : messages.front().get<std::string>();
      std::replace(said.begin(), said.end(), '\n', ' ');
      return fmt::format("{}flipped byte {} of the database; a full check of a copy says: {}",
                         first, at, said);
    }
    if (auto undone = flip_at(*file, at); !undone) return tl::unexpected(undone.error());
  }
  return fail(
      ErrorKind::environment,
      fmt::format("byte {} of the database was flipped and no check of a copy sees it", at));
}

std::unique_ptr<Strike> flip(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::in_gap,
                     [what = place.detail](Live& live, const Limit& limit) {
                       return flip_one(live, what, limit);
                     });
}

}  // namespace

const WorldSabotage flip_byte = {"flip-byte",
                                 "with the daemon down, a byte of the database is written over",
                                 places_to_flip, flip};
}  // namespace harness
