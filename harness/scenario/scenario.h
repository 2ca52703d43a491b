// A scenario as typed values. Immutable after parsing; every part knows its place in the file.
//
// A step is a map with exactly one kind key (`http`, `start`, …). Its arguments are the kind's own
// map plus the sibling keys that are not common ones. Common keys: name, criterion, expect, capture,
// timeout.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/scenario/node.h"
#include "harness/scenario/step_shape.h"

namespace harness {

struct Criterion {
  std::string id;    // "1", "run" is reserved
  std::string text;
  bool gap = false;  // expect: gap — PASS confirms a known gap
  bool containers = false;  // `containers: true`: its PASS names the provider where no Docker was used
  Span span;
};

struct Expression {
  std::string text;
  Span span;
  // Where the text's first character stands, if it stands there as it is (plain, quoted without
  // escapes, block); line 0 otherwise. Further lines begin at `further_column`.
  Span begin = {};
  int further_column = 1;
};

struct Capture {
  std::string name;
  Expression expression;
};

struct Step;

// When a fault strikes. Default: at once.
struct When {
  std::optional<Milliseconds> after;
  std::optional<std::string> log;          // regular expression on the daemon's log
  std::optional<std::string> request;      // regular expression on "METHOD path" of our own requests
  int nth = 1;
  std::optional<Milliseconds> random_within;  // seeded
  Span span;
};

struct Step {
  std::string kind;
  std::string path;  // "3", "3.1": the number a report names; finally steps: "f1"
  std::string name;  // `name:`; other steps refer to its times as $at.NAME.begin_ms/.end_ms
  Span span;
  std::string source;  // the step's first line as written, trimmed
  Node arguments;      // a map; a plain value is stored under the shape's scalar_key
  std::optional<Expression> expect;
  std::vector<Capture> captures;
  std::string criterion;                            // one id for the whole step, or empty
  std::map<std::string, std::string> criterion_of;  // compare: domain → criterion id
  std::map<std::string, std::string> expect_of;     // compare: domain → survived | lost
  std::optional<Milliseconds> timeout;
  std::vector<Step> children;      // parallel, repeat, background
  std::string fault;               // kind == "fault": which one; arguments are that fault's
  std::optional<When> when;
};

// A sabotage that this scenario need not notice, with the author's reason.
struct EquivalentMark {
  std::string sabotage;  // name, name:detail or name:detail@step
  std::string reason;
  Span span;
};

struct Scenario {
  std::string file;
  std::string text;  // the whole file, for rendering and for the run's own copy
  std::string name;
  std::string title;
  std::string origin;  // `source:`
  std::string tier;
  std::string story;
  std::string target;             // a name under fixtures/targets/ or a path
  std::vector<std::string> needs; // containers, root, docker, sqlite, redis-server, …
  Milliseconds timeout{60000};
  std::vector<Criterion> criteria;
  std::map<std::string, std::string> variables;  // `vars:`, overridden by --set
  std::map<std::string, std::pair<int, std::string>> written;  // `vars:` as they stand: line, value
  std::set<std::string> secrets;  // variables written as `{secret: VALUE}`
  std::vector<Step> steps;
  std::vector<Step> finally_steps;
  std::vector<EquivalentMark> equivalents;  // `prove: {equivalent: …}`

  const Criterion* criterion(const std::string& id) const;
  // Those, and what is called *KEY, *TOKEN, *PASSWORD or *SECRET.
  bool is_secret(const std::string& variable) const;
};

// What must reach no file and no report: the values of secret variables (`settings` among them), and
// what steps write under Authorization, Cookie, *KEY, *TOKEN and *PASSWORD.
std::vector<std::string> secret_values(const Scenario& scenario,
                                       const std::map<std::string, std::string>& settings);
// The scenario's text with the word `redacted` in the place of each: it reads as the same scenario,
// line by line.
std::string text_without_secrets(const Scenario& scenario);

// Everything wrong with the file at once. References to values never captured, criteria that no step
// judges, bad jq, unknown or repeated keys, unknown steps are all found here; nothing is started.
// `given` are the names that --set and the target define.
tl::expected<Scenario, std::vector<Diagnostic>> parse_scenario(
    const std::string& text, const std::string& file, const StepCatalog& catalog,
    const std::vector<std::string>& given);

Result<Milliseconds> parse_duration(const std::string& text);  // 250ms, 3s, 2m; a bare 0

// ${name} and ${name.field} replaced; an unknown name is an error of kind invalid. A captured
// non-string is written as JSON.
Result<std::string> substitute(const std::string& text, const std::map<std::string, Json>& values);
}  // namespace harness
