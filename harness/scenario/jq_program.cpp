// libjq held at arm's length: what it is started with, how it is stopped, what it may leave behind.
#include "harness/scenario/jq_program.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "harness/scenario/jq_guard.h"
#include "harness/scenario/jq_source.h"
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

constexpr Milliseconds compile_limit{20'000};

std::string too_large() { return fmt::format("needed more than {} MiB", jq_most_bytes >> 20); }

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
  const JqSource source = write_jq_source(texts);
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

  read_jq_messages(state->messages, source, texts, problems);
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

}  // namespace harness
