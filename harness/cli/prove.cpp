// `aima-harness prove`: scenarios → sabotages → matrices.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <set>

#include "harness/base/suggest.h"
#include "harness/cli/commands.h"
#include "harness/cli/prepare.h"
#include "harness/cli/progress.h"
#include "harness/cli/report_file.h"
#include "harness/cli/run_one.h"
#include "harness/cli/selection.h"
#include "harness/cli/workers.h"
#include "harness/prove/matrix.h"
#include "harness/run/interrupts.h"
#include "harness/target/containment.h"

namespace harness {
namespace {

struct WantedMatrix {
  const MatrixFormat* format = nullptr;
  ReportFile file;
};

Result<std::vector<WantedMatrix>> open_matrices(
    const std::vector<std::pair<std::string, std::string>>& wanted) {
  std::vector<WantedMatrix> matrices;
  for (const auto& [name, path] : wanted) {
    const MatrixFormat* format = find_matrix_format(name);
    if (!format) {
      std::vector<std::string> known;
      for (const auto& one : matrix_formats()) known.emplace_back(one.name);
      const auto near = nearest(name, known);
      return fail(ErrorKind::usage,
                  fmt::format("--report {}={}: a matrix has no format `{}`; {}", name, path, name,
                              near ? fmt::format("did you mean `{}`?", *near)
                                   : fmt::format("known: {}", fmt::join(known, ", "))));
    }
    auto file = ReportFile::open(name, path);
    if (!file) return tl::unexpected(file.error());
    matrices.push_back({format, std::move(*file)});
  }
  return matrices;
}

// Words of --sabotage that name no kind of sabotage would try nothing, silently.
Result<void> check_sabotage(const std::string& words) {
  if (words.empty()) return {};
  const std::string name = words.substr(0, words.find_first_of(":@"));
  const auto known = sabotage_names();
  if (std::find(known.begin(), known.end(), name) != known.end()) return {};
  const auto near = nearest(name, known);
  return fail(ErrorKind::usage, fmt::format("--sabotage {}: there is no sabotage `{}`; {}", words, name,
                                            near ? fmt::format("did you mean `{}`?", *near)
                                                 : "`aima-harness list sabotages` shows all"));
}

// The matrix of each proof stands beside its control run, as soon as it is there.
void store(const Proof& proof, const std::string& command, std::ostream& err) {
  if (proof.folder.empty()) return;
  ReportOptions options;
  options.total_seconds = proof.duration_s;
  options.command = command;
  for (const auto& [name, format] : {std::pair{"matrix.json", "json"}, {"matrix.md", "markdown"}}) {
    auto file = ReportFile::open(format, (proof.folder / name).string());
    auto written = file ? file->write(find_matrix_format(format)->render({proof}, options))
                        : Result<void>(tl::unexpected(file.error()));
    if (!written) err << "aima-harness: " << to_string(written.error()) << '\n';
  }
}

class Proofs {
 public:
  Proofs(const CommandContext& context, const ProveArguments& arguments, const Provider& provider,
         std::uint64_t seed, std::string command)
      : context_(context),
        arguments_(arguments),
        provider_(provider),
        seed_(seed),
        command_(std::move(command)) {}

  std::vector<Proof> all(const std::vector<Selected>& selected) {
    std::vector<Proof> proofs;
    for (const auto& one : selected) {
      if (context_.stop.stop_requested()) break;
      number_ = fmt::format("[{}/{}] {}", proofs.size() + 1, selected.size(), one.scenario.name);
      say("…");
      const Instant begin = Clock::now();
      proofs.push_back(prove(one));
      store(proofs.back(), command_, context_.err);
      end_line();
      say(fmt::format("{} after {}", outcome_text(proofs.back()),
                      human(std::chrono::duration_cast<Microseconds>(Clock::now() - begin))));
    }
    return proofs;
  }

 private:
  Proof prove(const Selected& one) {
    const Plan plan = make_plan(one.scenario, one.target.name,
                                arguments_.run.selection.settings, seed_);
    ProofOptions options;
    options.run = run_options(context_, arguments_.run, plan, {});
    options.sabotage = arguments_.sabotage;
    options.keep = arguments_.keep;
    options.on_progress = [this](std::size_t done, std::size_t all, const Column* last) {
      progress(done, all, last);
    };
    if (arguments_.run.jobs > 1) {
      options.side_by_side = [&](const std::filesystem::path& control,
                                 const std::filesystem::path& runs,
                                 const std::vector<Column>& columns, const OnStruck& done) {
        side_by_side(one, control, runs, columns, done);
      };
    }
    auto proof = prove_scenario(one.scenario, one.target, provider_, options);
    if (proof) {
      proof->folder = shown_path(proof->folder);
      for (auto& column : proof->columns) {
        if (!column.folder.empty()) column.folder = shown_path(column.folder);
      }
      return std::move(*proof);
    }
    Proof none;
    none.control = error_verdict(one, seed_, to_string(proof.error()));
    return none;
  }

  void side_by_side(const Selected& one, const std::filesystem::path& control,
                    const std::filesystem::path& runs, const std::vector<Column>& columns,
                    const OnStruck& done) {
    std::vector<Job> jobs;
    for (const Column& column : columns) {
      jobs.push_back({&one, seed_,
                      {{"control", control.string()},
                       {"sabotage", column.sabotage},
                       {"detail", column.place.detail},
                       {"step", column.place.step}}});
    }
    CommandContext own = context_;
    own.runs = runs;
    std::ostream nowhere(nullptr);
    Progress quiet(nowhere, false, 80, jobs.size());  // a line for each scenario is enough
    (void)run_side_by_side(own, arguments_.run, provider_, jobs, quiet,
                           [&](std::size_t job, const Verdict& verdict, const Json& line) {
                             StruckRun run{verdict, "", "", ""};
                             if (line.is_object()) {
                               run.struck = line.value("struck", "");
                               run.missed = line.value("missed", "");
                               run.error = line.value("error", "");
                             } else {
                               run.error = verdict.reason;
                             }
                             done(job, std::move(run));
                           });
  }

  void say(const std::string& text) { context_.out << number_ << ' ' << text << '\n' << std::flush; }
  void progress(std::size_t done, std::size_t all, const Column* last) {
    if (!context_.terminal) return;
    std::string text = fmt::format("{}  {} of {} strikes", number_, done, all);
    if (last) text += fmt::format("  {}: {}", last->name(), name_of(last->fate));
    const auto most = static_cast<std::size_t>(std::max(20, context_.width - 1));
    context_.out << "\r\x1b[2K" << text.substr(0, most) << std::flush;
  }
  void end_line() {
    if (context_.terminal) context_.out << "\r\x1b[2K" << std::flush;
  }

  const CommandContext& context_;
  const ProveArguments& arguments_;
  const Provider& provider_;
  std::uint64_t seed_;
  std::string command_;  // as a person would repeat it
  std::string number_;
};

int report_proofs(const CommandContext& context, std::vector<WantedMatrix>& matrices,
                  const std::vector<Proof>& proofs, const ReportOptions& plain) {
  const int signal = context.interrupts ? context.interrupts->signal() : 0;
  int status = proof_status(proofs, signal);
  const auto trouble = [&](const Error& error) {
    context.err << "aima-harness: " << to_string(error) << '\n';
    if (status != exit_fail) status = exit_error;
  };
  ReportOptions screen = plain;
  screen.colour = context.colour;
  screen.width = context.width;
  bool on_screen = false;
  for (auto& matrix : matrices) {
    if (matrix.file.to_screen()) {
      context.out << matrix.format->render(proofs, screen);
      on_screen = true;
    } else if (auto written = matrix.file.write(matrix.format->render(proofs, plain)); !written) {
      trouble(written.error());
    }
  }
  if (!on_screen) context.out << render_matrix_console(proofs, screen);
  context.out.flush();
  if (!context.out) {
    trouble(Error{ErrorKind::environment, "standard output was closed or is full", {}, {}});
  }
  return status;
}

}  // namespace

int command_prove(const CommandContext& context, const ProveArguments& arguments) {
  const Instant begin = Clock::now();
  const RunArguments& run = arguments.run;
  auto known = check_sabotage(arguments.sabotage);
  auto matrices = open_matrices(run.reports);
  if (!known || !matrices) {
    context.err << to_string(known ? matrices.error() : known.error()) << '\n';
    return exit_usage;
  }
  const bool takes_screen = std::any_of(matrices->begin(), matrices->end(),
                                        [](const WantedMatrix& one) { return one.file.to_screen(); });
  const auto prepared = prepare(context, run, "prove", takes_screen);
  if (!prepared) return prepared.error();
  ReportOptions plain;
  plain.command = repeat_command(context, run, prepared->set, prepared->seed);
  const std::vector<Proof> proofs =
      Proofs(prepared->progress, arguments, prepared->provider, prepared->seed, plain.command)
          .all(prepared->set.scenarios);
  plain.total_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return report_proofs(context, *matrices, proofs, plain);
}
}  // namespace harness
