// `aima-harness report RUN… --format F`: renders stored runs. Starts nothing.
#include <ostream>

#include <fmt/format.h>

#include "harness/cli/commands.h"
#include "harness/cli/stored_run.h"
#include "harness/report/reporter.h"

namespace harness {
namespace {

// Renders one format to a file, or to standard output for "-".
Result<void> write_report(const CommandContext& context, const Reporter& reporter,
                          const std::string& file, const std::vector<Verdict>& verdicts) {
  const bool screen = file.empty() || file == "-";
  ReportOptions options;
  options.colour = screen && context.colour;
  options.width = screen ? context.width : 100;
  const std::string text = reporter.render(verdicts, options);
  if (!screen) return write_text(file, text);
  context.out << text;
  return {};
}

}  // namespace

int command_report(const CommandContext& context, const std::vector<std::string>& runs,
                   const std::vector<std::pair<std::string, std::string>>& reports,
                   bool unchained) {
  auto wanted = reports;
  if (wanted.empty()) wanted.emplace_back("console", "-");
  for (const auto& [format, file] : wanted) {
    if (find_reporter(format) != nullptr) continue;
    context.err << fmt::format("report: {}\n", no_reporter(format));
    return exit_usage;
  }
  std::vector<Verdict> verdicts;
  for (const auto& run : runs.empty() ? std::vector<std::string>{"latest"} : runs) {
    auto stored = open_stored(context, run, unchained);
    if (!stored) {
      context.err << "report: " << to_string(stored.error()) << '\n';
      return status_of_stored(stored.error());
    }
    for (const auto& note : stored->integrity.notes) context.err << "note: " << note << '\n';
    // As it was written; judged now where nothing was.
    verdicts.push_back(stored->written ? std::move(*stored->written) : std::move(stored->verdict));
  }
  for (const auto& [format, file] : wanted) {
    if (auto written = write_report(context, *find_reporter(format), file, verdicts); !written) {
      context.err << "report: " << to_string(written.error()) << '\n';
      return exit_error;
    }
  }
  return exit_pass;
}

}  // namespace harness
