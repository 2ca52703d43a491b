// widen-modes: before a step that looks at modes, everybody may read the data folder and its files.
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

std::vector<Place> places_to_widen(const ProofSubject& subject) {
  if (subject.target.data.empty()) return {};
  const Course course(subject);
  std::vector<Place> places;
  for (const auto& passage : course.passages()) {
    const Step& step = *passage.step;
    const bool looks =
        step.kind == "files" && expression_text(step).find("mode") != std::string::npos;
    if (looks && judged(step)) places.push_back({criteria_text(step), step.path});
  }
  return places;
}

Result<std::string> widen_all(Live& live, const Limit&) {
  const fs::path data = live.session.target.data;
  constexpr auto all = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
  std::error_code error;
  int widened = 0;
  std::vector<fs::path> paths = {data};
  for (const auto& entry : fs::recursive_directory_iterator(data, error)) {
    if (!entry.is_symlink(error)) paths.push_back(entry.path());
  }
  for (const auto& path : paths) {
    fs::permissions(path, all, fs::perm_options::add, error);
    if ((fs::status(path, error).permissions() & all) == all) ++widened;
  }
  if (widened > 0) return fmt::format("{} files and folders can be read by all", widened);
  return fail(ErrorKind::environment,
              fmt::format("the modes below {} cannot be changed", data.string()));
}

std::unique_ptr<Strike> widen(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::before_step, widen_all);
}

}  // namespace

const WorldSabotage widen_modes = {
    "widen-modes", "everybody may read the data folder and its files", places_to_widen, widen};
}  // namespace harness
