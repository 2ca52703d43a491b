// One libjq state holding many expressions, each reached by its number. Compiling costs 15 ms for
// libjq's own library and 0.4 ms for each expression, so a scenario's expressions share a program,
// and finished programs wait in a pool for whoever needs the same texts next (check, run, judge).
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {
class JqMeter;

struct CompileProblem {
  std::size_t expression = 0;  // index into the texts
  int line = 1;                // of that text, from 1
  int column = 1;              // bytes, from 1
  std::string message;
  bool gave_up = false;        // too costly to compile, or libjq broke: no fault of one expression
};

struct JqRun {
  std::vector<Json> outputs;
  std::string error;       // jq's own, or ours ("took longer than …"); outputs before it stay
  bool empty_list = false; // all or any looked at nothing
};

// A run or a compilation takes at most its time and jq_most_bytes (jq_guard.h), and never ends the
// process. Not thread-safe, but may be handed from one thread to another.
class JqProgram {
 public:
  // Texts must have passed read_expression. Nothing is printed; HOME's .jq is not loaded.
  static std::unique_ptr<JqProgram> compile(const std::vector<std::string>& texts,
                                            std::vector<CompileProblem>& problems);
  ~JqProgram();
  JqProgram(const JqProgram&) = delete;
  JqProgram& operator=(const JqProgram&) = delete;

  const std::vector<std::string>& texts() const { return texts_; }
  // Stops after `most_outputs` or `limit`. `bindings`: object whose keys are the $names.
  JqRun run(std::size_t index, const Json& document, const Json& bindings, std::size_t most_outputs,
            Milliseconds limit);

  struct State;

 private:
  JqProgram(std::unique_ptr<State> state, std::vector<std::string> texts, std::string source);
  void evaluate(JqMeter& meter, std::size_t index, const Json& document, const Json& bindings,
                std::size_t most_outputs, JqRun& result);
  std::unique_ptr<State> state_;
  std::vector<std::string> texts_;
  std::string source_;
  std::map<std::size_t, std::string> given_up_;  // expressions that broke libjq, and how
};

// The pool, shared by all threads of the process.
std::unique_ptr<JqProgram> take_program_with(const std::string& text);
void give_back(std::unique_ptr<JqProgram> program);
}  // namespace harness
