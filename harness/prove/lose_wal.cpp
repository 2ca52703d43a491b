// A log that was checkpointed is worth nothing, so what the database holds is read before and
// after.
#include "harness/prove/lose_wal.h"

#include <fmt/format.h>

#include <filesystem>

#include "harness/prove/course.h"
#include "harness/prove/database.h"

namespace harness {

namespace fs = std::filesystem;

std::vector<Place> gaps_with_wal(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  for (const Passage* gap : course.gaps_before_reading()) {
    const bool log = gap->survey && gap->survey->value("wal_bytes", std::int64_t{0}) > 0;
    if (log) places.push_back({"", gap->step->path});
  }
  return places;
}

Result<std::string> lose_wal(Live& live, const Limit& limit) {
  auto file = database_file(live);
  if (!file) return tl::unexpected(file.error());
  const std::string log = *file + "-wal";
  const auto bytes = bytes_of(log);
  if (bytes == 0) return fail(ErrorKind::environment, "there is no write-ahead log");
  const std::string copy = (live.session.workspace->scratch() / "wal-before-the-strike").string();
  auto before = content_of(live, limit);
  if (!before) return tl::unexpected(before.error());
  std::error_code error;
  fs::copy_file(log, copy, fs::copy_options::overwrite_existing, error);
  if (!error) fs::remove(log, error);
  if (error)
    return fail(ErrorKind::environment, fmt::format("cannot change {}: {}", log, error.message()));
  auto after = content_of(live, limit);
  if (after && *after == *before) {
    fs::copy_file(copy, log, fs::copy_options::overwrite_existing, error);
    fs::remove(copy, error);
    return fail(ErrorKind::environment,
                "the database holds the same without: the log was checkpointed");
  }
  fs::remove(copy, error);
  return fmt::format("deleted the write-ahead log of {} bytes; {}", bytes,
                     after ? "the database holds less than before" : to_string(after.error()));
}
}  // namespace harness
