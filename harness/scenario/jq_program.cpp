// libjq held at arm's length: the program text that makes it pure, compile errors with places, the
// time limit, and the pool.
#include "harness/scenario/jq_program.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "harness/scenario/expression_text.h"
#include "harness/scenario/jq_guard.h"
#include "harness/scenario/jq_value.h"
#include "harness/scenario/watchdog.h"
extern "C" {
#include <jq.h>
}

namespace harness {

struct JqProgram::State {
  jq_state* jq = nullptr;
  std::vector<std::string> messages;
  ~State() {
    if (jq != nullptr) jq_teardown(&jq);
  }
};

namespace {

constexpr const char* nothing_judged = "nothing was judged: the list is empty";
constexpr std::size_t most_in_pool = 64;
constexpr Milliseconds compile_limit{20'000};

std::string too_large() { return fmt::format("needed more than {} MiB", jq_most_bytes >> 20); }

// One line, so that line 2 of the program is line 1 of the first expression.
//  - all and any over nothing are errors: `all` of nothing is true, which would prove nothing.
//  - __at is strict look-up: an absent key is an error (expression_text.h).
//  - What reaches outside is refused by read_expression already; this is the second lock.
const std::string& prelude() {
  static const std::string text = [] {
    std::string defs =
        "def __none: error(\"" + std::string(nothing_judged) + "\"); "
        "def __nothing: (type == \"array\" or type == \"object\") and length == 0; "
        "def __all0: all; def __all1(f): all(f); def __all2(g; c): all(g; c); "
        "def __any0: any; def __any1(f): any(f); def __any2(g; c): any(g; c); "
        "def all: if __nothing then __none else __all0 end; "
        "def all(f): if __nothing then __none else __all1(f) end; "
        "def all(g; c): if isempty(g) then __none else __all2(g; c) end; "
        "def any: if __nothing then __none else __any0 end; "
        "def any(f): if __nothing then __none else __any1(f) end; "
        "def any(g; c): if isempty(g) then __none else __any2(g; c) end; "
        "def __at($path): reduce $path[] as $key (.; "
        "if . == null or (type == \"object\" and ($key | type) == \"string\" and (has($key) | not)) "
        "or (type == \"array\" and ($key | type) == \"number\" and (has($key) | not)) "
        "then error(\"not in the document: \" + ($path | tojson)) else .[$key] end); ";
    for (const char* name : {"now", "env", "input", "inputs", "debug", "stderr", "input_filename",
                             "input_line_number", "halt", "halt_error", "localtime", "mktime",
                             "strflocaltime", "get_search_list", "modulemeta"}) {
      defs += fmt::format("def {}: error(\"refused: {}\"); ", name, name);
    }
    return defs + ". as {$__k, $__doc, $__vars} | {} as $ENV | $__doc | ";
  }();
  return text;
}

// What an expression is wrapped in costs no line before its text and one behind it (a comment at
// its end must not swallow the parenthesis).
std::vector<std::string> variables_of(const std::string& text) {
  std::vector<std::string> names;
  for (const auto& use : read_expression(text).variables) {
    if (std::find(names.begin(), names.end(), use.name) == names.end()) names.push_back(use.name);
  }
  return names;
}

struct Source {
  std::string text;
  std::vector<int> first_line;  // of each expression, in the program
};

Source write_source(const std::vector<std::string>& texts,
                    const std::vector<std::vector<std::string>>& variables) {
  Source source;
  source.text = prelude();
  int line = 1;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    source.text += fmt::format("{} $__k == {} then ", i == 0 ? "if" : "elif", i);
    for (const auto& name : variables[i]) source.text += fmt::format("$__vars.{0} as ${0} | ", name);
    source.text += "(\n";
    source.first_line.push_back(++line);
    source.text += texts[i] + "\n) ";
    line += static_cast<int>(std::count(texts[i].begin(), texts[i].end(), '\n')) + 1;
  }
  source.text += "else empty end";
  return source;
}

void collect(void* data, jv message) {
  jv text = jq_format_error(message);
  if (jv_get_kind(text) == JV_KIND_STRING) {
    static_cast<std::vector<std::string>*>(data)->emplace_back(jv_string_value(text));
  }
  jv_free(text);
}

// libjq loads $HOME/.jq into every program without a word; it could redefine anything. Only where
// such a file exists is HOME taken away for the time of the compilation.
class WithoutHomeFile {
 public:
  WithoutHomeFile() {
    const char* home = std::getenv("HOME");
    if (home == nullptr) return;
    struct stat status {};
    if (::lstat((std::string(home) + "/.jq").c_str(), &status) != 0) return;
    saved_ = home;
    present_ = true;
    ::unsetenv("HOME");
  }
  ~WithoutHomeFile() {
    if (present_) ::setenv("HOME", saved_.c_str(), 1);
  }
  WithoutHomeFile(const WithoutHomeFile&) = delete;
  WithoutHomeFile& operator=(const WithoutHomeFile&) = delete;

 private:
  std::string saved_;
  bool present_ = false;
};

std::mutex& compile_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::string cleaned(std::string message) {
  for (const std::string_view noise :
       {"jq: error: ", " (Unix shell quoting issues?)", "syntax error, "}) {
    if (auto at = message.find(noise); at != std::string::npos) message.erase(at, noise.size());
  }
  static const std::vector<std::pair<std::string_view, std::string_view>> words{
      {"$end", "the end"},           {"INVALID_CHARACTER", "character"},
      {"QQSTRING_TEXT", "text"},     {"QQSTRING_INTERP_START", "\\("},
      {"QQSTRING_END", "\""},        {"QQSTRING_START", "a string"},
      {"IDENT", "name"},             {"LITERAL", "number"},
      {"FIELD", ".name"},            {"FORMAT", "@format"}};
  for (const auto& [from, to] : words) {
    if (auto at = message.find(from); at != std::string::npos) message.replace(at, from.size(), to);
  }
  return message;
}

// "jq: error: TEXT at <top-level>, line N:\nLINE" and as many spaces as the error is from the line's
// begin (jq 1.6, locfile_locate): the column is in there after all.
bool read_message(const std::string& raw, const std::vector<std::string_view>& lines,
                  CompileProblem& problem) {
  constexpr std::string_view marker = " at <top-level>, line ";
  const auto at = raw.rfind(marker);
  if (at == std::string::npos) return false;
  problem.line = std::atoi(raw.c_str() + at + marker.size());
  problem.message = cleaned(raw.substr(0, at));
  const auto snippet = raw.find('\n', at);
  if (snippet == std::string::npos || problem.line < 1 ||
      static_cast<std::size_t>(problem.line) > lines.size()) {
    return true;
  }
  const auto line = lines[static_cast<std::size_t>(problem.line - 1)];
  const std::string_view shown = std::string_view(raw).substr(snippet + 1);
  if (shown.size() >= line.size() && shown.starts_with(line)) {
    problem.column = static_cast<int>(shown.size() - line.size()) + 1;
  }
  return true;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    auto end = text.find('\n', begin);
    if (end == std::string_view::npos) end = text.size();
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// Turns a place in the program into one in an expression. An error behind the last line of an
// expression is about its end.
void locate(CompileProblem& problem, const Source& source, const std::vector<std::string>& texts) {
  std::size_t which = 0;
  while (which + 1 < texts.size() && source.first_line[which + 1] <= problem.line) ++which;
  problem.expression = which;
  problem.line -= source.first_line[which] - 1;
  const auto lines = split_lines(texts[which]);
  if (problem.line < 1) problem.line = problem.column = 1;
  if (static_cast<std::size_t>(problem.line) > lines.size()) {
    problem.line = static_cast<int>(lines.size());
    problem.column = static_cast<int>(lines.back().size()) + 1;
    if (problem.message == "unexpected ')'") problem.message = "unexpected end of the expression";
  }
}

std::string error_text(jv message) {  // consumes
  if (jv_get_kind(message) != JV_KIND_STRING) message = jv_dump_string(message, 0);
  std::string text = jv_string_value(message);
  jv_free(message);
  return text;
}
}  // namespace

// `broken`: why libjq had to be left; its state is lost then.
bool compile_source(JqProgram::State& state, const std::string& text, std::string& broken) {
  std::lock_guard lock(compile_mutex());
  const WithoutHomeFile guard;
  int compiled = 0;
  const JqMeter meter = run_guarded(nullptr, compile_limit, [&](JqMeter& steps) {
    steps.step([&] {
      state.jq = jq_init();
      if (state.jq == nullptr) return;
      jq_set_error_cb(state.jq, collect, &state.messages);
      // Without it `import` would abort the process.
      jq_set_attr(state.jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
      compiled = jq_compile_args(state.jq, text.c_str(), jv_object());
    });
  });
  broken = meter.broken();
  if (state.jq == nullptr && broken.empty()) broken = "could not begin: libjq lacks memory";
  if (!broken.empty()) state.jq = nullptr;
  return compiled != 0;
}

JqProgram::JqProgram(std::unique_ptr<State> state, std::vector<std::string> texts,
                     std::string source)
    : state_(std::move(state)), texts_(std::move(texts)), source_(std::move(source)) {}
JqProgram::~JqProgram() = default;

std::unique_ptr<JqProgram> JqProgram::compile(const std::vector<std::string>& texts,
                                              std::vector<CompileProblem>& problems) {
  std::vector<std::vector<std::string>> variables;
  for (const auto& text : texts) variables.push_back(variables_of(text));
  const Source source = write_source(texts, variables);
  auto state = std::make_unique<State>();
  std::string broken;
  const bool compiled = compile_source(*state, source.text, broken);
  if (!broken.empty()) {
    problems.push_back({0, 1, 1, "its compilation " + broken, true});
    return nullptr;
  }
  if (compiled) {
    return std::unique_ptr<JqProgram>(new JqProgram(std::move(state), texts, source.text));
  }

  const auto lines = split_lines(source.text);
  for (const auto& message : state->messages) {
    CompileProblem problem;
    if (!read_message(message, lines, problem)) continue;
    locate(problem, source, texts);
    // libjq's second word on the same error.
    if (problem.message.starts_with("Possibly unterminated") && !problems.empty()) {
      problems.back().message += "; an `if`, `reduce` or `try` may lack its end";
      continue;
    }
    problems.push_back(std::move(problem));
  }
  if (problems.empty()) {
    problems.push_back({0, 1, 1, state->messages.empty() ? "libjq refuses it without a word"
                                                         : cleaned(state->messages.front())});
  }
  return nullptr;
}

// On the deep stack, for what is freed here may be nested as deep as memory goes.
void JqProgram::evaluate(JqMeter& meter, std::size_t index, const Json& document,
                         const Json& bindings, std::size_t most_outputs, JqRun& result) {
  auto doc = to_jv(document);
  if (!doc) {
    result.error = doc.error().message;
    return;
  }
  auto vars = to_jv(bindings);
  if (!vars) {
    jv_free(*doc);
    result.error = vars.error().message;
    return;
  }
  jv input = jv_object_set(jv_object(), jv_string("__k"), jv_number(static_cast<double>(index)));
  input = jv_object_set(input, jv_string("__doc"), *doc);
  input = jv_object_set(input, jv_string("__vars"), *vars);
  jq_state* jq = state_->jq;
  jq_start(jq, input, 0);
  while (result.outputs.size() < most_outputs) {
    jv output = jv_invalid();
    if (!meter.step([&] { output = jq_next(jq); })) {
      state_->jq = nullptr;  // left in the middle of something: lost
      return;
    }
    if (!jv_is_valid(output)) {
      if (jv_invalid_has_msg(jv_copy(output)) != 0) {
        result.error = error_text(jv_invalid_get_msg(output));
      } else {
        jv_free(output);
      }
      break;
    }
    auto converted = from_jv(output);
    if (!converted) {
      result.error = converted.error().message;
      break;
    }
    result.outputs.push_back(std::move(*converted));
  }
}

JqRun JqProgram::run(std::size_t index, const Json& document, const Json& bindings,
                     std::size_t most_outputs, Milliseconds limit) {
  JqRun result;
  if (const auto known = given_up_.find(index); known != given_up_.end()) {
    result.error = known->second;
    return result;
  }
  if (state_->jq == nullptr) {  // another of these expressions broke it
    std::string broken;
    if (!compile_source(*state_, source_, broken)) {
      result.error = "libjq cannot compile it again: " + broken;
      return result;
    }
  }
  jq_state* jq = state_->jq;
  // By the clock or by the meter; twice would be an assertion of libjq's.
  std::atomic<bool> asked{false};
  const auto halt = [jq, &asked] {
    if (!asked.exchange(true)) jq_halt(jq, jv_invalid(), jv_invalid());
  };
  const JqMeter meter = run_guarded(halt, limit, [&](JqMeter& steps) {
    {
      const Watchdog watchdog(limit, halt);
      evaluate(steps, index, document, bindings, most_outputs, result);
    }
    if (state_->jq == nullptr) return;
    if (jq_halted(jq) != 0) {
      result.error = steps.too_large() ? too_large() : fmt::format("took longer than {}", human(limit));
    }
    jq_start(jq, jv_null(), 0);  // lets go of what the run held; also clears a halt
  });
  if (!meter.broken().empty()) {
    result.outputs.clear();
    result.error = meter.too_large() ? too_large() : meter.broken();
    given_up_[index] = result.error;  // each time would cost a program and its memory
  }
  result.empty_list = result.error == nothing_judged;
  return result;
}

namespace {
struct Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<JqProgram>> programs;
};
// Never destroyed: libjq's own thread data may be gone by the time static objects end.
Pool& pool() {
  static Pool* only = new Pool;
  return *only;
}
}  // namespace

std::unique_ptr<JqProgram> take_program_with(const std::string& text) {
  std::lock_guard lock(pool().mutex);
  auto& programs = pool().programs;
  for (auto& program : programs) {
    const auto& texts = program->texts();
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) continue;
    auto taken = std::move(program);
    std::erase(programs, nullptr);
    return taken;
  }
  return nullptr;
}

void give_back(std::unique_ptr<JqProgram> program) {
  if (!program) return;
  std::lock_guard lock(pool().mutex);
  auto& programs = pool().programs;
  if (programs.size() >= most_in_pool) programs.erase(programs.begin());
  programs.push_back(std::move(program));
}
}  // namespace harness
