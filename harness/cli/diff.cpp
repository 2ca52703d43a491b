// `aima-harness diff RUN RUN`: what is different between two stored runs. Starts nothing.
#include <ostream>

#include <fmt/format.h>

#include "harness/cli/commands.h"
#include "harness/cli/stored_run.h"
#include "harness/report/run_diff.h"

namespace harness {

int command_diff(const CommandContext& context, const DiffArguments& arguments) {
  auto one = open_stored(context, arguments.one, arguments.unchained);
  auto other = one ? open_stored(context, arguments.other, arguments.unchained)
                   : Result<StoredRun>(tl::unexpected(one.error()));
  if (!other) {
    context.err << "diff: " << to_string(other.error()) << '\n';
    return status_of_stored(other.error());
  }
  for (const auto* run : {&*one, &*other}) {
    for (const auto& note : run->integrity.notes) {
      context.err << "note: " << run->folder.string() << ": " << note << '\n';
    }
  }
  const auto side = [](const StoredRun& run, const std::string& given) {
    return DiffSide{run.folder.empty() ? given : run.folder.string(), run.scenario, run.history, run.verdict};
  };
  const RunDiff diff = diff_runs(side(*one, arguments.one), side(*other, arguments.other));
  if (arguments.json) {
    context.out << to_json(diff).dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  } else {
    ReportOptions options;
    options.colour = context.colour;
    options.width = context.width;
    context.out << render_diff(diff, options);
  }
  return diff.same ? exit_pass : exit_fail;
}

}  // namespace harness
