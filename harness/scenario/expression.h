// jq over recorded documents: pure, bounded in time, no clock, environment or input inside.
//
// Compiling costs 18 ms in libjq 1.6 however short the program, so expressions are compiled once,
// together, and kept. Not thread-safe: one per thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/json.h"
#include "harness/scenario/scenario.h"

namespace harness {

enum class Truth { pass, fail, inconclusive };

struct Evaluation {
  Truth truth = Truth::inconclusive;
  std::string detail;  // why: "2 outputs", "output is null", "jq: …", "empty list"
};

class Expressions {
 public:
  Expressions();
  ~Expressions();
  Expressions(Expressions&&) noexcept;

  // Compiles all in one program. A bad one is reported with its own place. What stands in `along` is
  // compiled with them; what is wrong with it is not reported.
  std::vector<Diagnostic> prepare(const std::vector<Expression>& expressions,
                                  const std::vector<std::string>& along = {});

  // `bindings` is an object: each key is bound as $key ($status, captured names, $at, …).
  // pass only on exactly one output that is `true`; `false` fails; anything else is inconclusive,
  // as is judging over an empty list or a null document, and a match with an empty captured list.
  Evaluation expect(const Expression& expression, const Json& document, const Json& bindings);

  // Exactly one non-null output.
  Result<Json> capture(const Expression& expression, const Json& document, const Json& bindings);
  // All outputs; for targets (items of a list, keys).
  Result<std::vector<Json>> outputs(const Expression& expression, const Json& document,
                                    const Json& bindings);

 private:
  struct State;
  std::unique_ptr<State> state_;
};
}  // namespace harness
