// Reads the control run's events in order.
#include "harness/prove/course.h"

#include <map>

namespace harness {
namespace {

constexpr Milliseconds hopeless_time(400);

std::string text_at(const Json& fields, const char* key) {
  const auto found = fields.find(key);
  return found != fields.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Course::Course(const ProofSubject& subject) {
  std::map<std::string, const Step*> steps;
  for (const auto& step : subject.scenario.steps) steps[step.path] = &step;
  // A step may be surveyed before it begins, and again at its end or within: the last one holds
  // more.
  std::map<std::string, const Json*> surveys;
  for (const auto& event : subject.control.events) {
    if (event.kind == "survey") surveys[text_at(event.fields, "step")] = &event.fields;
  }
  Passage* now = nullptr;
  bool up = false;
  passages_.reserve(steps.size());  // `now` points into it
  for (const auto& event : subject.control.events) {
    const std::string path = text_at(event.fields, "step");
    if (event.kind == "step.begin" && steps.contains(path)) {
      passages_.push_back({});
      now = &passages_.back();
      now->step = steps[path];
      const auto survey = surveys.find(path);
      if (survey != surveys.end()) now->survey = survey->second;
      now->up = up;
    } else if (event.kind == "daemon.start") {
      up = true;
      if (now) now->started = true;
    } else if (event.kind == "daemon.exit" || event.kind == "daemon.not_started") {
      up = false;
      if (now) now->died = true;
      if (now) now->signal = text_at(event.fields, "signal");
    } else if (event.kind == "observation" && now && path == now->step->path) {
      const auto document = event.fields.find("document");
      if (document != event.fields.end()) now->document = &*document;
    } else if (event.kind == "step.end" && now && path == now->step->path) {
      now->ok = text_at(event.fields, "outcome") == "ok";
      const auto begin = event.fields.value("begin_us", std::int64_t{0});
      now->took = Milliseconds((event.fields.value("end_us", begin) - begin + 999) / 1000);
    }
    if (now) now->up = up;
    if (event.kind == "step.end" && steps.contains(path) &&
        path == subject.scenario.steps.back().path) {
      now = nullptr;  // what comes now is the end of the run
    }
  }
}

const Passage* Course::find(const std::string& path) const {
  for (const auto& passage : passages_) {
    if (passage.step->path == path) return &passage;
  }
  return nullptr;
}

std::vector<const Passage*> Course::gaps() const {
  std::vector<const Passage*> all;
  for (const auto& passage : passages_) {
    if (passage.leaves_a_gap(&passage == &passages_.back())) all.push_back(&passage);
  }
  return all;
}

std::vector<const Passage*> Course::gaps_before_reading() const {
  std::vector<const Passage*> all;
  for (const Passage* gap : gaps()) {
    const auto reads = [](const Passage& one) {
      return one.started || (one.step->kind == "sqlite" && one.step->arguments.find("query"));
    };
    if (gap->started || next(*gap, reads)) all.push_back(gap);
  }
  return all;
}

std::vector<const Passage*> Course::gaps_before_checking() const {
  std::vector<const Passage*> all;
  for (const Passage* gap : gaps()) {
    const auto reads = [](const Passage& one) { return one.started || one.step->kind == "sqlite"; };
    if (gap->started || next(*gap, reads)) all.push_back(gap);
  }
  return all;
}

const Json* Course::first_survey() const {
  for (const auto& passage : passages_) {
    if (passage.survey && passage.survey->contains("tables")) return passage.survey;
  }
  return nullptr;
}

std::vector<const Passage*> Course::until_next_start(const Passage& from) const {
  std::vector<const Passage*> all;
  for (const Passage* one = &from + 1; one < passages_.data() + passages_.size(); ++one) {
    all.push_back(one);
    if (one->started) break;
  }
  return all;
}

Patience::Patience(const ProofSubject& subject) {
  const Course course(subject);
  for (const auto& passage : course.passages()) took_[passage.step->path] = passage.took;
}

Milliseconds Patience::with(const Step& step) const {
  const auto took = took_.find(step.path);
  return hopeless_time + (took == took_.end() ? Milliseconds(0) : took->second);
}

bool judged(const Step& step) { return !step.criterion.empty() || !step.criterion_of.empty(); }

std::string criteria_text(const Step& step) {
  if (!step.criterion.empty()) return step.criterion;
  std::string text;
  for (const auto& [domain, criterion] : step.criterion_of) {
    text += (text.empty() ? "" : ", ") + criterion;
  }
  return text;
}

bool is_await(const Step& step, std::string_view key) {
  return step.kind == "await" && step.arguments.find(key) != nullptr;
}

bool asks_to_leave(const Step& step) {
  if (step.kind != "signal" && step.kind != "stop") return false;
  const Node* given = step.arguments.find("signal");
  std::string name = given && given->is_scalar() ? given->text : "TERM";
  if (name.starts_with("SIG")) name.erase(0, 3);
  return name == "TERM" || name == "INT" || name == "QUIT" || name == "HUP";
}

std::string expression_text(const Step& step) {
  std::string text = step.expect ? step.expect->text : "";
  for (const auto& capture : step.captures) text += " " + capture.expression.text;
  return text;
}
}  // namespace harness
