#include "harness/cli/integrity.h"

#include <algorithm>

#include <fmt/format.h>

#include "harness/history/digest.h"
#include "harness/verdict/record.h"

namespace harness {
namespace {

constexpr std::size_t digits_shown = 16;

// What a run may vouch for: two files beside the history, and plain names below evidence/.
bool is_of_the_run(const std::string& path) {
  if (path == "scenario.yaml" || path == "plan.json") return true;
  const std::string_view folder = "evidence/";
  return path.starts_with(folder) && path.size() > folder.size() && path != "evidence/.." &&
         path.find('/', folder.size()) == std::string::npos;
}

// " (evidence of step 4, event 17)": the first event that names the file.
std::string named_by(const History& history, const std::string& path) {
  for (const auto& event : history.events) {
    if (event.kind == "file") continue;
    for (const auto& file : texts_of(event.fields, "evidence")) {
      if (file == path) return fmt::format(" (evidence in {})", describe(event));
    }
  }
  return "";
}

tl::unexpected<Error> altered(const History& history, const Event& event, const std::string& found) {
  const std::string path = text_of(event.fields, "path");
  return fail(ErrorKind::invalid,
              fmt::format("{}{} was edited after the run: event {} recorded {} bytes, SHA-256 {}…; "
                          "found {}",
                          path, named_by(history, path), event.n,
                          integer_of(event.fields, "bytes"),
                          text_of(event.fields, "sha256").substr(0, digits_shown), found));
}

Result<void> check_one(const std::filesystem::path& folder, const History& history,
                       const Event& event) {
  const std::string path = text_of(event.fields, "path");
  std::error_code error;
  if (!std::filesystem::is_regular_file(folder / path, error)) {
    return fail(ErrorKind::invalid,
                fmt::format("{}{} is gone: event {} recorded it with {} bytes, and this run keeps "
                            "what it wrote",
                            path, named_by(history, path), event.n,
                            integer_of(event.fields, "bytes")));
  }
  auto digest = digest_of_file(folder / path);
  if (!digest) return tl::unexpected(digest.error());
  if (digest->sha256 == text_of(event.fields, "sha256")) return {};
  return altered(history, event, fmt::format("{} bytes, SHA-256 {}…", digest->bytes,
                                             digest->sha256.substr(0, digits_shown)));
}

// Files that nobody vouches for prove nothing, and spoil nothing.
void note_strangers(const std::filesystem::path& folder, const std::vector<std::string>& known,
                    Integrity& integrity) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "evidence", error)) {
    const std::string path = "evidence/" + entry.path().filename().string();
    if (std::find(known.begin(), known.end(), path) != known.end()) continue;
    integrity.notes.push_back(path + " was not recorded by the run; nothing was judged by it");
  }
}

}  // namespace

Result<Integrity> check_files(const std::filesystem::path& folder, const History& history,
                              bool passed) {
  Integrity integrity;
  std::vector<std::string> known;
  std::error_code error;
  const bool no_folder = !std::filesystem::exists(folder / "evidence", error);
  for (const auto& event : history.events) {
    if (event.kind != "file") continue;
    const std::string path = text_of(event.fields, "path");
    if (!is_of_the_run(path)) {
      return fail(ErrorKind::invalid,
                  fmt::format("event {} records the file `{}`, which is none that a run writes",
                              event.n, path));
    }
    known.push_back(path);
    if (no_folder && passed && path.starts_with("evidence/")) {
      ++integrity.removed;
      continue;
    }
    if (auto checked = check_one(folder, history, event); !checked) {
      return tl::unexpected(checked.error());
    }
    ++integrity.kept;
  }
  for (const char* needed : {"scenario.yaml", "plan.json"}) {
    if (std::find(known.begin(), known.end(), needed) != known.end()) continue;
    integrity.notes.push_back(fmt::format("the history stops before it recorded {}: whether that "
                                          "was edited cannot be told",
                                          needed));
  }
  note_strangers(folder, known, integrity);
  return integrity;
}

std::string hash_of_event(const History& history, std::int64_t n) {
  if (n < 1 || n > static_cast<std::int64_t>(history.events.size())) return {};
  return text_of(history.events[static_cast<std::size_t>(n - 1)].fields, "hash");
}

Result<void> check_head(const Verdict& written, const History& history) {
  const auto events = static_cast<std::int64_t>(history.events.size());
  if (written.events > events) {
    return fail(ErrorKind::invalid,
                fmt::format("history.jsonl was cut after it was judged: verdict.json names event {} "
                            "as its last, found {} events",
                            written.events, events));
  }
  const std::string hash = hash_of_event(history, written.events);
  if (hash == written.head) return {};
  return fail(ErrorKind::invalid,
              fmt::format("history.jsonl is not the one that was judged: verdict.json says that "
                          "event {} carries the hash {}…, found {}…",
                          written.events, written.head.substr(0, digits_shown),
                          hash.substr(0, digits_shown)));
}

}  // namespace harness
