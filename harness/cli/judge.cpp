// `aima-harness judge RUN`: judges a stored history again. Starts nothing.
#include <ostream>

#include <fmt/format.h>

#include "harness/cli/commands.h"
#include "harness/cli/stored_run.h"
#include "harness/report/reporter.h"

namespace harness {
namespace {

int status_of(const Error& error) {
  return error.kind == ErrorKind::usage || error.kind == ErrorKind::invalid ? exit_usage
                                                                            : exit_error;
}

}  // namespace

int command_judge(const CommandContext& context, const std::string& run, bool allow_skip) {
  auto folder = find_run(context, run);
  if (!folder) {
    context.err << "judge: " << to_string(folder.error()) << '\n';
    return exit_usage;
  }
  auto verdict = judge_stored(*folder);
  if (!verdict) {
    context.err << "judge: " << to_string(verdict.error()) << '\n';
    return status_of(verdict.error());
  }
  const std::string text = to_json(*verdict).dump(1) + "\n";
  if (auto written = write_text(*folder / "verdict.json", text); !written) {
    context.err << "judge: " << to_string(written.error()) << '\n';
    return exit_error;
  }
  ReportOptions options;
  options.colour = context.colour;
  options.width = context.width;
  context.out << find_reporter("console")->render({*verdict}, options);
  return exit_status({*verdict}, allow_skip);
}

}  // namespace harness
