// A verdict as JSON and back: reports/schema/verdict.schema.json, schema 1.
#include <fmt/format.h>

#include "harness/verdict/record.h"
#include "harness/verdict/verdict.h"

namespace harness {
namespace {

constexpr int kSchema = 1;

const char* word_of(Answer answer) {
  switch (answer) {
    case Answer::pass:
      return "pass";
    case Answer::inconclusive:
      return "inconclusive";
    case Answer::fail:
      return "fail";
    case Answer::error:
      return "error";
  }
  return "error";
}

Answer answer_of(const Json& json) {
  const std::string word = text_of(json, "answer");
  if (word == "pass") return Answer::pass;
  if (word == "fail") return Answer::fail;
  return word == "error" ? Answer::error : Answer::inconclusive;
}

Json place(const Span& span) {
  Json out = Json::object();
  out["file"] = span.file;
  out["line"] = span.line;
  out["column"] = span.column;
  return out;
}

Span place_of(const Json& json) {
  const auto where = json.find("where");
  if (where == json.end() || !where->is_object()) return {};
  return {text_of(*where, "file"), static_cast<int>(integer_of(*where, "line")),
          static_cast<int>(integer_of(*where, "column"))};
}

Json check_json(const Check& check) {
  Json out = Json::object();
  out["step"] = check.step;
  out["where"] = place(check.where);
  out["source"] = check.source;
  out["answer"] = word_of(check.answer);
  out["evidence"] = check.evidence;
  out["expected"] = check.expected;
  out["actual"] = check.actual;
  out["command"] = check.command;
  out["files"] = check.files;
  return out;
}

Check check_of(const Json& json) {
  Check check;
  check.step = text_of(json, "step");
  check.where = place_of(json);
  check.source = text_of(json, "source");
  check.answer = answer_of(json);
  check.evidence = text_of(json, "evidence");
  check.expected = text_of(json, "expected");
  check.actual = text_of(json, "actual");
  check.command = text_of(json, "command");
  check.files = texts_of(json, "files");
  return check;
}

Json finding_json(const Finding& finding) {
  Json out = Json::object();
  out["criterion"] = finding.criterion;
  out["text"] = finding.text;
  out["gap"] = finding.gap;
  out["answer"] = word_of(finding.answer);
  out["note"] = finding.note;
  out["evidence"] = finding.evidence;
  out["where"] = place(finding.where);
  out["checks"] = Json::array();
  for (const auto& check : finding.checks) out["checks"].push_back(check_json(check));
  return out;
}

// The items of a list of objects; nothing where it is absent.
std::vector<Json> objects_of(const Json& json, std::string_view key) {
  std::vector<Json> out;
  const auto found = json.find(key);
  if (found == json.end() || !found->is_array()) return out;
  for (const auto& item : *found) {
    if (item.is_object()) out.push_back(item);
  }
  return out;
}

Finding finding_of(const Json& json) {
  Finding finding;
  finding.criterion = text_of(json, "criterion");
  finding.text = text_of(json, "text");
  finding.gap = boolean_of(json, "gap");
  finding.answer = answer_of(json);
  finding.note = text_of(json, "note");
  finding.evidence = text_of(json, "evidence");
  finding.where = place_of(json);
  for (const auto& check : objects_of(json, "checks")) finding.checks.push_back(check_of(check));
  return finding;
}

Json bug_json(const BugReport& bug) {
  Json out = Json::object();
  out["title"] = bug.title;
  out["scenario"] = bug.scenario;
  out["criterion"] = bug.criterion;
  out["command"] = bug.command;
  out["expected"] = bug.expected;
  out["actual"] = bug.actual;
  out["likely_cause"] = bug.likely_cause;
  out["severity"] = bug.severity;
  if (!bug.last_log.empty()) out["last_log"] = bug.last_log;
  return out;
}

BugReport bug_of(const Json& json) {
  return {text_of(json, "title"),        text_of(json, "scenario"), text_of(json, "criterion"),
          text_of(json, "command"),      text_of(json, "expected"), text_of(json, "actual"),
          text_of(json, "likely_cause"), text_of(json, "severity"), texts_of(json, "last_log")};
}

void read_lists(Verdict& verdict, const Json& json) {
  for (const auto& item : objects_of(json, "findings")) {
    verdict.findings.push_back(finding_of(item));
  }
  for (const auto& item : objects_of(json, "facts")) {
    const auto value = item.find("value");
    verdict.facts.push_back(
        {text_of(item, "name"), text_of(item, "text"), value == item.end() ? Json() : *value});
  }
  for (const auto& item : objects_of(json, "domains")) {
    verdict.domains.push_back(
        {text_of(item, "domain"), static_cast<std::size_t>(integer_of(item, "before")),
         static_cast<std::size_t>(integer_of(item, "after")), text_of(item, "outcome")});
  }
  for (const auto& item : objects_of(json, "bugs")) verdict.bugs.push_back(bug_of(item));
  verdict.faults = texts_of(json, "faults");
  verdict.harness_leftovers = texts_of(json, "harness_leftovers");
}

}  // namespace

Json to_json(const Verdict& verdict) {
  Json out = Json::object();
  out["schema"] = kSchema;
  out["run_id"] = verdict.run_id;
  out["scenario"] = verdict.scenario;
  out["title"] = verdict.title;
  out["origin"] = verdict.origin;
  out["file"] = verdict.file;
  out["seed"] = verdict.seed;
  out["target"] = verdict.target;
  out["provider"] = verdict.provider;
  out["provider_detail"] = verdict.provider_detail;
  out["containment"] = verdict.containment;
  out["utc"] = verdict.utc;
  out["duration_s"] = verdict.duration_s;
  out["answer"] = word_of(verdict.answer);
  out["reason"] = verdict.reason;
  out["interrupted"] = verdict.interrupted;
  out["skipped"] = verdict.skipped;
  for (const char* list : {"findings", "facts", "domains", "bugs"}) out[list] = Json::array();
  for (const auto& finding : verdict.findings) out["findings"].push_back(finding_json(finding));
  for (const auto& fact : verdict.facts) {
    Json item = Json::object();
    item["name"] = fact.name;
    item["text"] = fact.text;
    item["value"] = fact.value;
    out["facts"].push_back(std::move(item));
  }
  for (const auto& row : verdict.domains) {
    Json item = Json::object();
    item["domain"] = row.domain;
    item["before"] = row.before;
    item["after"] = row.after;
    item["outcome"] = row.outcome;
    out["domains"].push_back(std::move(item));
  }
  for (const auto& bug : verdict.bugs) out["bugs"].push_back(bug_json(bug));
  out["faults"] = verdict.faults;
  out["harness_leftovers"] = verdict.harness_leftovers;
  out["history"] = {{"events", verdict.events}, {"head", verdict.head}};
  return out;
}

Result<Verdict> verdict_from_json(const Json& json) {
  if (!json.is_object() || integer_of(json, "schema") != kSchema) {
    return fail(ErrorKind::invalid,
                fmt::format("not a verdict of schema {}: judge the run again", kSchema));
  }
  Verdict verdict;
  verdict.run_id = text_of(json, "run_id");
  verdict.scenario = text_of(json, "scenario");
  verdict.title = text_of(json, "title");
  verdict.origin = text_of(json, "origin");
  verdict.file = text_of(json, "file");
  verdict.seed = text_of(json, "seed");
  verdict.target = text_of(json, "target");
  verdict.provider = text_of(json, "provider");
  verdict.provider_detail = text_of(json, "provider_detail");
  verdict.containment = text_of(json, "containment");
  verdict.utc = text_of(json, "utc");
  const auto duration = json.find("duration_s");
  if (duration != json.end() && duration->is_number()) {
    verdict.duration_s = duration->get<double>();
  }
  verdict.answer = answer_of(json);
  verdict.reason = text_of(json, "reason");
  verdict.interrupted = text_of(json, "interrupted");
  verdict.skipped = boolean_of(json, "skipped");
  const auto history = json.find("history");
  if (history != json.end() && history->is_object()) {
    verdict.events = integer_of(*history, "events");
    verdict.head = text_of(*history, "head");
  }
  read_lists(verdict, json);
  return verdict;
}

}  // namespace harness
