// What the harness saw late because it stood still itself is no failure of the daemon.
#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {

std::string why_late(const RunRecord& record, const std::string& step) {
  const auto& ends = record.step(step).ends;
  for (const Event* late : record.late) {
    const std::int64_t begin = integer_of(late->fields, "begin_us");
    const double seconds = static_cast<double>(integer_of(late->fields, "end_us") - begin) / 1e6;
    // What is asked at the end of the run has no step of its own: any lateness came before it.
    if (!ends.empty() && ends.back()->t_us < begin) continue;
    return fmt::format("the harness itself stood still for {:.1f} s before this was seen", seconds);
  }
  return {};
}

void excuse_late(const RunRecord& record, Check& check) {
  if (check.answer != Answer::fail) return;
  const std::string why = why_late(record, check.step);
  if (why.empty()) return;
  check.answer = Answer::inconclusive;
  check.evidence = fmt::format("{}: {}", why, check.evidence);
}

}  // namespace harness
