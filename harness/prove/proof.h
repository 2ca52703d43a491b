// The proof of a scenario: a run that nothing harms, then every sabotage of the record of that run and
// every sabotage of the world of a new one, and what each criterion said of each. It has teeth if one
// of them makes it fail; a sabotage that struck must not leave the verdict a pass.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/prove/sabotage.h"
#include "harness/run/runner.h"
#include "harness/verdict/verdict.h"

namespace harness {

// What became of a sabotage.
enum class Fate {
  noticed,     // it struck, and the verdict is no pass
  unnoticed,   // it struck, and all passed: something is missing in the scenario
  equivalent,  // the same, and the scenario says why that is right
  missed,      // it did not strike: proves nothing
  error,       // the harness could not do its part
  not_run,     // interrupted before
};
const char* name_of(Fate fate);  // "noticed", "not noticed", …

// One sabotage at one place: a line of the matrix.
struct Column {
  std::string sabotage;
  Place place;
  bool world = false;    // struck the world of a run; else the record of the control run
  Fate fate = Fate::not_run;
  std::string what;      // what was falsified, and how that is known
  std::string why;       // missed, error: why. Else the verdict's reason.
  std::string equivalent;        // the author's reason, where a mark names it
  Answer answer = Answer::pass;  // the verdict's
  std::map<std::string, Answer> cells;  // by criterion; none where it did not strike
  std::filesystem::path folder;  // of its run, where that was kept
  double duration_s = 0;

  std::string name() const;  // "drop-row:models@19": stays the same while its step does
  // A name, name:detail or name:detail@step, as scenarios and --sabotage say it.
  bool is_named_by(const std::string& words) const;
};

struct CriterionProof {
  std::string criterion;  // id, or "run"
  std::string text;
  bool gap = false;
  Span where;
  std::vector<std::string> world;   // sabotages of the world that made it fail
  std::vector<std::string> record;  // and of the record
  bool has_teeth() const { return !world.empty() || !record.empty(); }
};

struct Proof {
  Verdict control;
  std::filesystem::path folder;
  std::string utc;
  double duration_s = 0;
  std::vector<CriterionProof> criteria;  // as in the verdict; empty where the control run is no pass
  std::vector<Column> columns;           // the world's first, in order of their tables
  std::vector<std::string> stale;        // marks that nothing bears out, each with why
  std::vector<std::string> trouble;      // the harness's own: what it could not do or left behind
  std::string interrupted;               // signal name, or empty

  bool tried() const { return control.answer == Answer::pass; }
  std::vector<const CriterionProof*> toothless() const;
  std::vector<const Column*> with(Fate fate) const;
  bool proven() const;
};

struct ProofFigures {
  std::size_t criteria = 0, in_world = 0, on_record_only = 0;
  std::size_t struck = 0, noticed = 0, equivalent = 0, missed = 0, errors = 0;
  std::size_t proven() const { return in_world + on_record_only; }
};
ProofFigures figures_of(const std::vector<Proof>& proofs);
// "criteria proven 9/9 (7 in the world, 2 on the record only) · sabotages noticed 33/34, …"
std::string figures_text(const ProofFigures& figures);

// A criterion without teeth or an unnoticed sabotage: 1, whatever else happened. Then what the control
// runs say that did not pass, errors 3, leftovers 6, an interruption 128+n.
int proof_status(const std::vector<Proof>& proofs, int signal);

// A run that a strike fell into.
struct StruckRun {
  Verdict verdict;            // its folder included
  std::string struck, missed;  // as the strike says
  std::string error;          // why there is no verdict
};
using OnStruck = std::function<void(std::size_t column, StruckRun run)>;

struct ProofOptions {
  RunOptions run;          // of the control run and of every strike; `runs` is the folder of proofs
  std::string sabotage;    // only what these words name; empty: all
  bool keep = false;       // the runs of all strikes
  std::span<const WorldSabotage> world = world_sabotages();
  std::span<const RecordSabotage> record = record_sabotages();
  // Does the strikes elsewhere, some of them at once, and tells each when it is done; those that are
  // not told were not run. `control` is the folder of the control run, `runs` that of theirs.
  std::function<void(const std::filesystem::path& control, const std::filesystem::path& runs,
                     const std::vector<Column>& columns, const OnStruck& done)>
      side_by_side;
  std::function<void(std::size_t done, std::size_t all, const Column* last)> on_progress;
};

// An error only where not even the control run could be recorded.
Result<Proof> prove_scenario(const Scenario& scenario, const TargetProfile& target,
                             const Provider& provider, const ProofOptions& options);

// One strike, here and now. `control` is the record of the control run; `options.runs` where its run
// is stored. `sabotage` may be null: there is none of that name.
StruckRun strike_once(const Scenario& scenario, const TargetProfile& target,
                      const Provider& provider, Expressions& expressions, const RunOptions& options,
                      const History& control, const WorldSabotage* sabotage, const Place& place);
const WorldSabotage* find_sabotage(std::span<const WorldSabotage> table, std::string_view name);

// What the runs showed, made into a proof: which criteria have teeth, which marks are stale. Pure.
void conclude(const Scenario& scenario, bool all_sabotages, Proof& proof);
}  // namespace harness
