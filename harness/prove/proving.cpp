// Doing a proof: the control run, the forgeries of its record, and a run for every strike.
#include <fmt/format.h>

#include <algorithm>

#include "harness/prove/proof.h"
#include "harness/prove/surveyor.h"
#include "harness/verdict/contradiction.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

Result<fs::path> make_folder(const ProofOptions& options, const Scenario& scenario) {
  std::error_code error;
  fs::create_directories(options.run.runs, error);
  const std::string base =
      fmt::format("{}-{}-{}", utc_compact(), scenario.name, options.run.plan->seed);
  for (int copy = 1; copy < 10000 && !error; ++copy) {
    const fs::path folder = options.run.runs / (copy == 1 ? base : fmt::format("{}-{}", base, copy));
    if (fs::create_directory(folder, error)) return folder;
  }
  return fail(ErrorKind::environment,
              fmt::format("cannot make a folder for the proof in {}: {}; --out moves it",
                          options.run.runs.string(), error ? error.message() : "all names are taken"));
}

// "drop-row:models@19" as the name of a folder.
std::string folder_name(const Column& column) {
  std::string name = column.name();
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '@';
    if (!plain) c = '-';
  }
  return name.substr(0, 120);
}

void fill(Column& column, const Verdict& verdict) {
  column.answer = verdict.answer;
  column.fate = verdict.answer == Answer::pass ? Fate::unnoticed : Fate::noticed;
  column.why = verdict.reason;
  column.cells.clear();
  for (const auto& finding : verdict.findings) column.cells[finding.criterion] = finding.answer;
}

// Forgeries of one sabotage, made into one column for each place.
class Forgeries {
 public:
  Forgeries(const ProofSubject& subject, const RecordSabotage& sabotage, std::vector<Column>& columns)
      : subject_(subject), sabotage_(sabotage), columns_(columns), first_(columns.size()) {}

  bool judged(const Forgery& forgery) {
    Verdict verdict = judge(subject_.scenario, forgery.history, *subject_.expressions);
    // As a stored run is judged: a forgery that contradicts itself is no pass.
    mark_contradictions(verdict, contradictions(subject_.scenario, forgery.history));
    Column& column = column_of(forgery.place);
    if (sabotage_.every) return add(column, forgery, verdict);
    const bool reached = reaches(forgery, verdict);
    const bool better = column.fate == Fate::not_run || reached ||
                        (column.fate == Fate::unnoticed && verdict.answer != Answer::pass);
    if (better) {
      fill(column, verdict);
      column.what = forgery.what;
    }
    return reached;
  }

 private:
  Column& column_of(const Place& place) {
    for (std::size_t index = first_; index < columns_.size(); ++index) {
      const Place& other = columns_[index].place;
      if (other.detail == place.detail && other.step == place.step) return columns_[index];
    }
    Column column;
    column.sabotage = sabotage_.name;
    column.place = place;
    columns_.push_back(std::move(column));
    return columns_.back();
  }

  static bool reaches(const Forgery& forgery, const Verdict& verdict) {
    if (forgery.criterion.empty()) return verdict.answer != Answer::pass;
    for (const auto& finding : verdict.findings) {
      const bool meant = forgery.criterion == "*" || forgery.criterion == finding.criterion;
      if (meant && finding.answer == Answer::fail) return true;
    }
    return false;
  }

  // Each must be noticed: the column shows the worst of all, or the first that passed.
  static bool add(Column& column, const Forgery& forgery, const Verdict& verdict) {
    if (verdict.answer == Answer::pass || column.fate == Fate::not_run) {
      fill(column, verdict);
      column.what = forgery.what;
      return verdict.answer == Answer::pass;
    }
    for (const auto& finding : verdict.findings) {
      Answer& cell = column.cells[finding.criterion];
      cell = worst(cell, finding.answer);
    }
    column.answer = worst(column.answer, verdict.answer);
    return false;
  }

  const ProofSubject& subject_;
  const RecordSabotage& sabotage_;
  std::vector<Column>& columns_;
  std::size_t first_;
};

class Prover {
 public:
  Prover(const Scenario& scenario, const TargetProfile& target, const Provider& provider,
         const ProofOptions& options)
      : scenario_(scenario), target_(target), provider_(provider), options_(options) {}

  Result<Proof> prove();

 private:
  Result<void> run_control();
  void forge_all();
  void strike_all();
  std::vector<Column> places();
  void take(Column& column, StruckRun run);
  void settle(Column& column, const fs::path& run);
  bool wanted(const Column& column) const {
    return options_.sabotage.empty() || column.is_named_by(options_.sabotage);
  }
  ProofSubject subject(Expressions& expressions) const {
    return {scenario_, target_, control_, proof_.control.provider, &expressions};
  }
  RunOptions run_options() const {
    RunOptions options = options_.run;
    options.runs = proof_.folder / "runs";
    return options;
  }
  void tell(const Column* last) {
    if (options_.on_progress) options_.on_progress(done_, all_, last);
  }

  const Scenario& scenario_;
  const TargetProfile& target_;
  const Provider& provider_;
  const ProofOptions& options_;
  Proof proof_;
  History control_;
  Expressions expressions_;
  std::size_t done_ = 0, all_ = 0;
};

Result<void> Prover::run_control() {
  // It harms nothing: it notes what stood where, so that strikes know where they can strike.
  const auto surveyor = control_surveyor();
  RunOptions options = run_options();
  options.saboteur = surveyor.get();
  auto outcome = run_scenario(scenario_, target_, provider_, expressions_, options);
  if (!outcome) return tl::unexpected(outcome.error());
  proof_.control = std::move(outcome->verdict);
  const fs::path folder = proof_.folder / "control";
  std::error_code error;
  fs::rename(outcome->folder, folder, error);
  proof_.control.folder = (error ? outcome->folder : folder).string();
  auto history = read_history((fs::path(proof_.control.folder) / "history.jsonl").string());
  if (!history) return tl::unexpected(history.error());
  control_ = std::move(*history);
  return {};
}

void Prover::forge_all() {
  const ProofSubject about = subject(expressions_);
  for (const RecordSabotage& sabotage : options_.record) {
    if (options_.run.stop.stop_requested()) return;
    Forgeries forgeries(about, sabotage, proof_.columns);
    sabotage.forge(about, [&](const Forgery& forgery) {
      // Another kind is not even judged.
      Column meant;
      meant.sabotage = sabotage.name;
      meant.place = forgery.place;
      return !wanted(meant) || forgeries.judged(forgery);
    });
  }
}

// Where the run of a strike goes: kept where somebody has to look at it.
void Prover::settle(Column& column, const fs::path& run) {
  std::error_code error;
  const bool keep = options_.keep || column.fate == Fate::unnoticed || column.fate == Fate::error;
  if (!keep) {
    fs::remove_all(run, error);
    return;
  }
  const fs::path folder = proof_.folder / "strikes" / folder_name(column);
  fs::create_directories(folder.parent_path(), error);
  fs::rename(run, folder, error);
  column.folder = error ? run : folder;
}

// What a run says of the sabotage that fell into it.
void Prover::take(Column& column, StruckRun run) {
  const Verdict& verdict = run.verdict;
  column.duration_s = verdict.duration_s;
  column.what = std::move(run.struck);
  if (!run.error.empty()) {
    column.fate = Fate::error;
    column.why = std::move(run.error);
  } else if (!verdict.interrupted.empty()) {
    column.fate = Fate::not_run;
  } else if (column.what.empty()) {
    column.fate = Fate::missed;
    column.why = run.missed.empty() ? "the run did not come to where it strikes" : run.missed;
    if (verdict.answer != Answer::pass) column.why += "; the run ended with: " + verdict.reason;
  } else {
    fill(column, verdict);
  }
  if (!verdict.harness_leftovers.empty()) {
    proof_.trouble.push_back(
        fmt::format("{} left behind: {}", column.name(), verdict.harness_leftovers.front()));
  }
  if (!verdict.folder.empty()) settle(column, verdict.folder);
  ++done_;
  tell(&column);
}

std::vector<Column> Prover::places() {
  std::vector<Column> columns;
  for (const auto& sabotage : options_.world) {
    for (auto& place : sabotage.places(subject(expressions_))) {
      Column column;
      column.sabotage = sabotage.name;
      column.place = std::move(place);
      column.world = true;
      if (wanted(column)) columns.push_back(std::move(column));
    }
  }
  return columns;
}

void Prover::strike_all() {
  std::vector<Column> columns = places();
  all_ = columns.size();
  tell(nullptr);
  const RunOptions options = run_options();
  if (options_.side_by_side) {
    options_.side_by_side(proof_.control.folder, options.runs, columns,
                          [&](std::size_t index, StruckRun run) { take(columns[index], std::move(run)); });
  } else {
    for (Column& column : columns) {
      if (options.stop.stop_requested()) break;
      take(column, strike_once(scenario_, target_, provider_, expressions_, options, control_,
                               find_sabotage(options_.world, column.sabotage), column.place));
    }
  }
  columns.insert(columns.end(), std::make_move_iterator(proof_.columns.begin()),
                 std::make_move_iterator(proof_.columns.end()));
  proof_.columns = std::move(columns);
}

Result<Proof> Prover::prove() {
  const Instant begin = Clock::now();
  proof_.utc = utc_now();
  auto folder = make_folder(options_, scenario_);
  if (!folder) return tl::unexpected(folder.error());
  proof_.folder = *folder;
  if (auto ran = run_control(); !ran) return tl::unexpected(ran.error());
  if (proof_.tried()) {
    forge_all();
    strike_all();
    conclude(scenario_, options_.sabotage.empty(), proof_);
  }
  if (options_.run.stop.stop_requested()) {
    proof_.interrupted = proof_.control.interrupted.empty() ? "a signal" : proof_.control.interrupted;
  }
  std::error_code ignored;
  fs::remove_all(proof_.folder / "runs", ignored);
  proof_.duration_s = milliseconds(Clock::now() - begin) / 1000;
  return std::move(proof_);
}

}  // namespace

const WorldSabotage* find_sabotage(std::span<const WorldSabotage> table, std::string_view name) {
  const auto row = std::find_if(table.begin(), table.end(),
                                [&](const WorldSabotage& one) { return one.name == name; });
  return row == table.end() ? nullptr : &*row;
}

StruckRun strike_once(const Scenario& scenario, const TargetProfile& target,
                      const Provider& provider, Expressions& expressions, const RunOptions& options,
                      const History& control, const WorldSabotage* sabotage, const Place& place) {
  StruckRun run;
  if (sabotage == nullptr) {
    run.error = "there is no such sabotage";
    return run;
  }
  std::string by = "none";
  if (!control.events.empty()) by = control.events.front().fields.value("provider", by);
  const ProofSubject subject{scenario, target, control, by, &expressions};
  const auto strike = sabotage->strike(subject, place);
  RunOptions own = options;
  own.saboteur = strike.get();
  auto outcome = run_scenario(scenario, target, provider, expressions, own);
  if (!outcome) {
    run.error = to_string(outcome.error());
    return run;
  }
  run.verdict = std::move(outcome->verdict);
  run.verdict.folder = outcome->folder.string();
  run.struck = strike->struck();
  run.missed = strike->missed();
  return run;
}

Result<Proof> prove_scenario(const Scenario& scenario, const TargetProfile& target,
                             const Provider& provider, const ProofOptions& options) {
  return Prover(scenario, target, provider, options).prove();
}
}  // namespace harness
