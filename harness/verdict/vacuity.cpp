// What is true although it proves nothing: an absence of what was never there.
#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

const Json& bindings_of(const Event& observation) {
  static const Json none = Json::object();
  const auto found = observation.fields.find("bindings");
  return found != observation.fields.end() && found->is_object() ? *found : none;
}

bool was_ready_before(const RunRecord& record, std::int64_t n) {
  return std::any_of(record.instances.begin(), record.instances.end(), [&](const auto& life) {
    return life.second.ready != nullptr && life.second.ready->n < n;
  });
}

// The labels that a `containers` step asks for, with captured values put in.
std::vector<std::string> labels_of(const Step& step, const Json& bindings) {
  std::map<std::string, Json> values;
  for (const auto& [name, value] : bindings.items()) values[name] = value;
  std::vector<std::string> labels;
  const auto add = [&](const Node& node) {
    auto text = substitute(node.text, values);
    labels.push_back(text ? *text : node.text);
  };
  const Node* label = step.arguments.find("label");
  if (label != nullptr && label->is_scalar()) add(*label);
  if (label != nullptr) {
    for (const auto& item : label->items) add(item);
  }
  return labels;
}

bool carries(const Json& container, const std::vector<std::string>& labels,
             const std::string& state) {
  if (!container.is_object()) return false;
  if (!state.empty() && text_of(container, "state") != state) return false;
  const auto own = container.find("labels");
  return std::all_of(labels.begin(), labels.end(), [&](const std::string& label) {
    if (own == container.end() || !own->is_object()) return false;
    const auto equals = label.find('=');
    const auto found = own->find(label.substr(0, equals));
    if (found == own->end()) return false;
    return equals == std::string::npos ||
           (found->is_string() && found->get<std::string>() == label.substr(equals + 1));
  });
}

bool was_seen_before(const JudgeInput& input, const std::vector<std::string>& labels,
                     const std::string& state, std::int64_t n) {
  for (const auto& [path, step] : input.record.steps) {
    for (const Event* seen : step.observations) {
      const auto document = seen->fields.find("document");
      if (seen->n >= n || document == seen->fields.end() || !document->is_array()) continue;
      for (const Json& item : *document) {
        if (carries(item, labels, state)) return true;
      }
    }
  }
  return false;
}

std::string no_container_ever(const JudgeInput& input, const Step& step, const Event& seen) {
  const auto document = seen.fields.find("document");
  if (document == seen.fields.end() || !document->is_array() || !document->empty()) return "";
  const auto labels = labels_of(step, bindings_of(seen));
  const Node* state = step.arguments.find("state");
  const std::string wanted = state != nullptr && state->is_scalar() ? state->text : "";
  if (was_seen_before(input, labels, wanted, seen.n)) return "";
  return fmt::format("no container{}{} was ever seen in this run, so that none is there proves "
                     "nothing; look for it with `containers` before it is to go",
                     wanted.empty() ? "" : " " + wanted,
                     labels.empty() ? "" : fmt::format(" with {}", fmt::join(labels, ", ")));
}

// "http://127.0.0.1:8080" of the last word of a curl command.
std::string authority_of(const std::string& command) {
  const auto scheme = command.rfind("://");
  if (scheme == std::string::npos) return "";
  const auto end = command.find_first_of("/?#'\" ", scheme + 3);
  return command.substr(scheme + 3, end == std::string::npos ? end : end - scheme - 3);
}

// Whether the address that a request went to is the daemon's own.
bool is_the_daemons(const JudgeInput& input, const std::string& authority) {
  std::string port;
  if (input.record.begin != nullptr) {
    const auto variables = input.record.begin->fields.find("variables");
    if (variables != input.record.begin->fields.end()) port = text_of(*variables, "port");
  }
  return authority.empty() || (!port.empty() && authority.ends_with(":" + port));
}

// A refused connection says something only where one was answered before.
std::string never_answered(const JudgeInput& input, const Event& seen) {
  const Json& bindings = bindings_of(seen);
  const auto error = bindings.find("error");
  if (error == bindings.end() || !error->is_string()) return "";
  const std::string where = authority_of(text_of(seen.fields, "command"));
  if (is_the_daemons(input, where) && was_ready_before(input.record, seen.n)) return "";
  for (const auto& [path, step] : input.record.steps) {
    for (const Event* other : step.observations) {
      if (other->n >= seen.n || integer_of(bindings_of(*other), "status") == 0) continue;
      if (authority_of(text_of(other->fields, "command")) == where) return "";
    }
  }
  return fmt::format("{} never answered in this run, so that it does not now proves nothing",
                     where.empty() ? "the daemon" : where);
}

// A reply after the daemon's SIGKILL and before the next start: of a worker that the signal did not
// reach, or of one that brought itself back. What it knows need not have survived anything.
std::string answered_by_another(const JudgeInput& input, const Step& step, const Event& seen) {
  if (!is_the_daemons(input, authority_of(text_of(seen.fields, "command")))) return "";
  const Event* asked = nullptr;
  for (const Event* begin : input.record.step(step.path).begins) {
    if (begin->n < seen.n) asked = begin;
  }
  return asked == nullptr ? "" : why_nobodys(input.record, asked->n, seen.n);
}

}  // namespace

std::string why_nobodys(const RunRecord& record, std::int64_t asked, std::int64_t answered) {
  const InstanceRecord* last = nullptr;
  for (const auto& [number, life] : record.instances) {
    if (life.start == nullptr || life.start->n >= answered) continue;
    if (last == nullptr || last->start->n < life.start->n) last = &life;
  }
  if (last == nullptr || last->exit == nullptr || last->exit->n >= asked ||
      text_of(last->exit->fields, "signal") != "KILL") {
    return "";
  }
  return fmt::format("the daemon was ended by SIGKILL (event {}) and not started since: who answers "
                     "was neither killed nor started by this run; `start` it before you look",
                     last->exit->n);
}

std::string why_vacuous(const JudgeInput& input, const Step& step, const Event& seen) {
  const auto document = seen.fields.find("document");
  if (step.kind == "containers") return no_container_ever(input, step, seen);
  if (step.kind == "http" && integer_of(bindings_of(seen), "status") != 0) {
    return answered_by_another(input, step, seen);
  }
  if (step.kind == "http") return never_answered(input, seen);
  if (step.kind == "await" && step.arguments.find("port") != nullptr &&
      step.arguments.find("port")->text == "closed" &&
      !was_ready_before(input.record, seen.n)) {
    return "the daemon was never ready in this run, so that its port is closed proves nothing";
  }
  if (step.kind == "log" && step.arguments.find("must") == nullptr &&
      document != seen.fields.end() && document->is_object() && document->contains("lines") &&
      integer_of(*document, "lines") == 0) {
    return "the daemon logged nothing at all, so that no line matches proves nothing";
  }
  return "";
}

namespace {

// Whether the step by itself leaves the daemon as it was: probes, waiting, requests that only read, and
// what merely holds other steps.
bool only_looks(const Step& step) {
  constexpr std::array looks = {"snapshot", "compare", "observe", "containers", "sqlite",   "files",
                                "process",  "log",     "join",    "await",      "parallel", "repeat"};
  if (std::find(looks.begin(), looks.end(), step.kind) != looks.end()) return true;
  const Node* request = step.arguments.find("request");
  return step.kind == "http" && request != nullptr &&
         (request->text.starts_with("GET ") || request->text.starts_with("HEAD "));
}
}  // namespace

bool anything_between(const JudgeInput& input, std::int64_t first, std::int64_t last) {
  for (const Step* step : flatten(input.scenario)) {
    if (only_looks(*step)) continue;
    for (const Event* begin : input.record.step(step->path).begins) {
      if (begin->n > first && begin->n < last) return true;
    }
  }
  for (const auto& [number, life] : input.record.instances) {
    if (life.exit != nullptr && life.exit->n > first && life.exit->n < last) return true;
  }
  return false;
}

}  // namespace harness
