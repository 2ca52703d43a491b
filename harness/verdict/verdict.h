// What a run proves. judge() is pure: a scenario and a history in, a verdict out; no process, no
// network, no clock. A stored run judged again gives the same verdict, byte for byte.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "harness/history/event.h"
#include "harness/scenario/expression.h"
#include "harness/scenario/scenario.h"

namespace harness {

// Ordered by how much it says: pass < inconclusive < fail. `error` (the harness itself) stands
// apart and never hides a fail.
enum class Answer { pass, inconclusive, fail, error };
const char* name_of(Answer answer);      // "PASS", "INCONCLUSIVE", "FAIL", "ERROR"
Answer worst(Answer one, Answer other);  // fail > error > inconclusive > pass

// One look at one criterion: a step that was tagged with it.
struct Check {
  std::string step;
  Span where;          // in the YAML
  std::string source;  // the step as written
  Answer answer = Answer::inconclusive;
  std::string evidence;  // one line: what was seen
  std::string expected;  // the expression, or what the step demands
  std::string actual;
  std::string command;             // what was run, as a person would repeat it
  std::vector<std::string> files;  // evidence, relative to the run folder
};

struct Finding {
  std::string criterion;  // id, or "run"
  std::string text;
  bool gap = false;
  Answer answer = Answer::inconclusive;
  std::string note;      // "native process; Docker not tested"
  std::string evidence;  // the deciding check's line
  Span where;
  std::vector<Check> checks;
};

struct Fact {
  std::string name;
  std::string text;
  Json value;
};

struct DomainRow {  // the seeds' "which domains survived restart, which lost data"
  std::string domain;
  std::size_t before = 0;  // objects this run created
  std::size_t after = 0;   // of those, found again and equal
  std::string outcome;     // survived | lost | changed | not tested
};

struct BugReport {  // the seeds' format, one for each failure
  std::string title;
  std::string scenario;
  std::string criterion;
  std::string command;
  std::string expected;
  std::string actual;
  std::string likely_cause;  // from the daemon's log, named as such
  std::string severity;
  // Of the criterion `run`: the last 40 lines that the daemon wrote, each cut at 240 characters.
  std::vector<std::string> last_log = {};
};

struct Verdict {
  std::string run_id;
  std::string scenario;
  std::string title;
  std::string origin;
  std::string file;
  std::string seed;
  std::string target;
  std::string provider;
  std::string provider_detail;
  std::string containment;  // what held its processes together: "cgroup v2"; old runs: empty
  std::string utc;
  double duration_s = 0;
  Answer answer = Answer::inconclusive;  // of all findings
  std::string reason;                    // why not pass, in one line
  std::string interrupted;               // signal name, or empty
  bool skipped = false;                  // `needs` unmet
  std::vector<Finding> findings;         // criteria in file order, then "run"
  std::vector<Fact> facts;
  std::vector<DomainRow> domains;
  std::vector<BugReport> bugs;
  std::vector<std::string> harness_leftovers;
  std::vector<std::string> faults;  // "pause: struck, healed"
  std::string folder;               // of the run, for links to evidence
  std::int64_t events = 0;          // how many this was judged from
  std::string head;                 // of their chain; empty where the history carries none
};

// What judging evaluates: `expressions` must have been prepared with (at least) these.
std::vector<Expression> expectations_of(const Scenario& scenario);

Verdict judge(const Scenario& scenario, const History& history, Expressions& expressions);

Json to_json(const Verdict& verdict);  // reports/schema/verdict.schema.json, "schema": 1
Result<Verdict> verdict_from_json(const Json& json);

// The bytes of verdict.json: the verdict and, last, a seal, the SHA-256 over the head of the history's
// chain and what stands before it. Read back, an edited one is an error of kind `invalid`.
std::string sealed_text(const Verdict& verdict);
Result<Verdict> verdict_from_sealed(const std::string& text);
// Where two documents differ first: a JSON pointer, and what stands there (null where nothing does).
struct Difference {
  std::string at;
  Json one, other;
};
std::optional<Difference> difference_between(const Json& one, const Json& other);
// Where two verdicts differ first: "/findings/0/answer: "pass", not "fail""; empty where they do not.
std::string first_difference(const Json& one, const Json& other);

// 0 pass · 1 fail · 2 inconclusive · 3 error · 6 our own leftovers · 128+n interrupted; a proven
// fail is 1 whatever else happened; then 3, 6, 128+n, 2.
int exit_status(const std::vector<Verdict>& verdicts, bool allow_skip);
}  // namespace harness
