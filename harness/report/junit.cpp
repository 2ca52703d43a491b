// The junit reporter, in the dialect that GitLab, Jenkins (junit-10.xsd) and Bazel all accept:
// name, classname and time on a testcase and nothing else; the text of a failure both as its
// message and as its content; properties on the suite only; names unique, because GitLab drops the
// second of two.
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "harness/report/formats.h"
#include "harness/report/text.h"

namespace harness {
namespace {

struct Counts {
  std::size_t tests = 0, failures = 0, errors = 0, skipped = 0;
};

std::string time_text(double seconds) { return fmt::format("{:.3f}", seconds < 0 ? 0 : seconds); }

std::string details_of(const Verdict& verdict, const Finding& finding) {
  std::string out = clean(finding.evidence) + "\n";
  const std::string place = place_text(finding.where);
  if (!place.empty()) out += place + "\n";
  for (const auto& check : finding.checks) {
    if (check.answer == Answer::pass) continue;
    out += fmt::format("\nstep {} at {}: {}\n  {}\n", clean(check.step), place_text(check.where),
                       name_of(check.answer), on_one_line(check.source));
    if (!check.command.empty()) out += "  command:  " + on_one_line(check.command) + "\n";
    out += "  expected: " + on_one_line(check.expected) + "\n";
    out +=
        "  actual:   " + on_one_line(check.actual.empty() ? check.evidence : check.actual) + "\n";
    for (const auto& file : check.files) out += "  evidence: " + on_one_line(file) + "\n";
  }
  for (const auto& bug : verdict.bugs) {
    if (bug.criterion != finding.criterion) continue;
    out += fmt::format("\nlikely cause: {}\nseverity: {}\n", on_one_line(bug.likely_cause),
                       on_one_line(bug.severity));
    if (!bug.last_log.empty()) out += "the daemon's last lines:\n";
    for (const auto& text : bug.last_log) out += "  " + on_one_line(text) + "\n";
    break;
  }
  return out;
}

void add_trouble(pugi::xml_node testcase, const char* element, const char* type,
                 const std::string& message, const std::string& content) {
  pugi::xml_node node = testcase.append_child(element);
  node.append_attribute("message") = on_one_line(message).c_str();
  node.append_attribute("type") = type;
  node.append_child(pugi::node_pcdata).set_value(content.c_str());
}

void add_finding(pugi::xml_node suite, const Verdict& verdict, const Finding& finding,
                 const std::string& suffix, Counts& counts) {
  pugi::xml_node testcase = suite.append_child("testcase");
  std::string name = on_one_line(finding.criterion + " " + finding.text) + suffix;
  testcase.append_attribute("name") = name.c_str();
  testcase.append_attribute("classname") = on_one_line(verdict.scenario).c_str();
  const bool whole = finding.criterion == "run";  // the run took the time, not one criterion
  testcase.append_attribute("time") = time_text(whole ? verdict.duration_s : 0).c_str();
  ++counts.tests;
  const std::string message = fmt::format("{}: {}", answer_text(finding), finding.evidence);
  const std::string content = details_of(verdict, finding);
  if (verdict.skipped && finding.answer == Answer::inconclusive) {
    ++counts.skipped;
    testcase.append_child("skipped").append_attribute("message") = on_one_line(message).c_str();
  } else if (finding.answer == Answer::fail) {
    ++counts.failures;
    add_trouble(testcase, "failure", "fail", message, content);
  } else if (finding.answer == Answer::inconclusive) {
    ++counts.errors;
    add_trouble(testcase, "error", "inconclusive", message, content);
  } else if (finding.answer == Answer::error) {
    ++counts.errors;
    add_trouble(testcase, "error", "error", message, content);
  }
}

void add_extra(pugi::xml_node suite, const Verdict& verdict, const char* name, const char* type,
               const std::string& text, const std::string& suffix, Counts& counts) {
  pugi::xml_node testcase = suite.append_child("testcase");
  testcase.append_attribute("name") = (name + suffix).c_str();
  testcase.append_attribute("classname") = on_one_line(verdict.scenario).c_str();
  testcase.append_attribute("time") = "0.000";
  ++counts.tests;
  ++counts.errors;
  add_trouble(testcase, "error", type, text, clean(text));
}

void add_properties(pugi::xml_node suite, const Verdict& verdict) {
  pugi::xml_node properties = suite.append_child("properties");
  const auto add = [&](const std::string& name, const std::string& value) {
    pugi::xml_node property = properties.append_child("property");
    property.append_attribute("name") = on_one_line(name).c_str();
    property.append_attribute("value") = on_one_line(value).c_str();
  };
  add("run", verdict.run_id);
  add("target", verdict.target);
  add("provider", headline_of(verdict));
  if (!verdict.containment.empty()) add("containment", verdict.containment);
  add("seed", verdict.seed);
  add("answer", name_of(verdict.answer));
  if (!verdict.reason.empty()) add("reason", verdict.reason);
  for (const auto& fact : verdict.facts) add("fact: " + fact.name, fact.text);
  for (const auto& row : verdict.domains) {
    add("domain: " + row.domain,
        fmt::format("{} ({} of {} found again and equal)", row.outcome, row.after, row.before));
  }
}

// "2026-01-31T12:34:56": the schema of Jenkins takes neither fractions nor a zone.
std::string timestamp_of(const Verdict& verdict) {
  return verdict.utc.size() >= 19 ? clean(verdict.utc.substr(0, 19)) : "";
}

bool harness_failed_alone(const Verdict& verdict) {
  if (verdict.answer != Answer::error) return false;
  for (const auto& finding : verdict.findings) {
    if (finding.answer == Answer::error) return false;
  }
  return true;
}

void set_counts(pugi::xml_node node, const Counts& counts) {
  node.attribute("tests").set_value(fmt::format("{}", counts.tests).c_str());
  node.attribute("failures").set_value(fmt::format("{}", counts.failures).c_str());
  node.attribute("errors").set_value(fmt::format("{}", counts.errors).c_str());
}

Counts add_suite(pugi::xml_node root, const Verdict& verdict, const std::string& suffix) {
  Counts counts;
  pugi::xml_node suite = root.append_child("testsuite");
  suite.append_attribute("name") = (on_one_line(verdict.scenario) + suffix).c_str();
  for (const char* name : {"tests", "failures", "errors"}) suite.append_attribute(name);
  suite.append_attribute("skipped");
  suite.append_attribute("time") = time_text(verdict.duration_s).c_str();
  if (const auto when = timestamp_of(verdict); !when.empty()) {
    suite.append_attribute("timestamp") = when.c_str();
  }
  add_properties(suite, verdict);
  for (const auto& finding : verdict.findings) add_finding(suite, verdict, finding, suffix, counts);
  if (harness_failed_alone(verdict)) {
    add_extra(suite, verdict, "harness", "error", verdict.reason, suffix, counts);
  }
  if (!verdict.harness_leftovers.empty()) {
    std::string text = "left behind by the harness itself:";
    for (const auto& leftover : verdict.harness_leftovers) text += "\n" + leftover;
    add_extra(suite, verdict, "harness leftovers", "leftovers", text, suffix, counts);
  }
  set_counts(suite, counts);
  suite.attribute("skipped").set_value(fmt::format("{}", counts.skipped).c_str());
  return counts;
}

}  // namespace

std::string render_junit(const std::vector<Verdict>& verdicts, const ReportOptions& options) {
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  pugi::xml_node root = document.append_child("testsuites");
  root.append_attribute("name") = "aima-harness";
  for (const char* name : {"tests", "failures", "errors"}) root.append_attribute(name);
  Counts all;
  double total = 0;
  std::map<std::string, int> times;  // how often each scenario was run
  for (const auto& verdict : verdicts) {
    const int number = ++times[verdict.scenario];
    const Counts counts =
        add_suite(root, verdict, number == 1 ? "" : fmt::format(" [run {}]", number));
    all.tests += counts.tests;
    all.failures += counts.failures;
    all.errors += counts.errors;
    total += verdict.duration_s;
  }
  set_counts(root, all);
  root.append_attribute("time") =
      time_text(options.total_seconds > 0 ? options.total_seconds : total).c_str();
  std::ostringstream out;
  document.save(out, "  ", pugi::format_default, pugi::encoding_utf8);
  return out.str();
}

}  // namespace harness
