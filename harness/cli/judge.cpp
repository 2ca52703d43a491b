// `aima-harness judge RUN`: verifies a stored run and judges it again. Starts nothing.
#include <ostream>

#include <fmt/format.h>

#include "harness/cli/commands.h"
#include "harness/cli/stored_run.h"
#include "harness/report/reporter.h"

namespace harness {
namespace {

// "57 events chained to the head 9f86…, 7 files as recorded"
std::string what_was_verified(const StoredRun& run) {
  if (!run.verified) {
    return fmt::format("not verified: {} events without a chain", run.history.events.size());
  }
  std::string text = fmt::format("verified: {} events, each chained to the one before",
                                 run.history.events.size());
  const Integrity& seen = run.integrity;
  if (seen.kept > 0) text += fmt::format("; {} files as recorded", seen.kept);
  if (seen.removed > 0) {
    text += fmt::format("; {} files of evidence were removed with the pass (--keep keeps them)",
                        seen.removed);
  }
  return text;
}

}  // namespace

int command_judge(const CommandContext& context, const JudgeArguments& arguments) {
  auto run = open_stored(context, arguments.run, arguments.unchained);
  if (!run) {
    context.err << "judge: " << to_string(run.error()) << '\n';
    return status_of_stored(run.error());
  }
  if (run->verified) {
    auto written = write_text(run->folder / "verdict.json", sealed_text(run->verdict));
    if (!written) {
      context.err << "judge: " << to_string(written.error()) << '\n';
      return exit_error;
    }
  }
  ReportOptions options;
  options.colour = context.colour;
  options.width = context.width;
  context.out << find_reporter("console")->render({run->verdict}, options)
              << what_was_verified(*run) << '\n';
  for (const auto& note : run->integrity.notes) context.err << "note: " << note << '\n';
  return exit_status({run->verdict}, arguments.allow_skip);
}

}  // namespace harness
