// The table of reporters.
#include "harness/report/reporter.h"

#include <fmt/format.h>

#include <array>

#include "harness/base/suggest.h"
#include "harness/report/formats.h"

namespace harness {
namespace {

constexpr std::array<Reporter, 4> kReporters = {{
    {"console", "a table per scenario, for a person at a terminal", render_console},
    {"json", "the verdicts, by reports/schema/verdict.schema.json", render_json},
    {"junit", "JUnit XML that GitLab, Jenkins and Bazel all read", render_junit},
    {"markdown", "for a pull request or a job summary", render_markdown},
}};

}  // namespace

std::span<const Reporter> reporters() { return kReporters; }

const Reporter* find_reporter(std::string_view name) {
  for (const auto& reporter : kReporters) {
    if (reporter.name == name) return &reporter;
  }
  return nullptr;
}


std::string no_reporter(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& one : reporters()) known.emplace_back(one.name);
  const auto near = nearest(name, known);
  return fmt::format("there is no format `{}`; {}", name,
                     near ? fmt::format("did you mean `{}`?", *near)
                          : fmt::format("known: {}", fmt::join(known, ", ")));
}
}  // namespace harness
