// The `log` probe: the output of the daemon's present instance, searched.
#include <fmt/format.h>

#include <regex>
#include <sstream>

#include "harness/probes/rows.h"

namespace harness {
namespace {

Result<std::vector<std::string>> matching_lines(const std::string& output, const std::string& pattern) {
  std::vector<std::string> lines;
  try {
    std::regex expression(pattern);
    std::istringstream text(output);
    for (std::string line; std::getline(text, line);) {
      if (line.size() > 8192) line.resize(8192);  // std::regex recurses by length
      if (std::regex_search(line, expression)) lines.push_back(line);
    }
  } catch (const std::regex_error& bad) {
    return fail(ErrorKind::invalid, fmt::format("log: `{}` is no regular expression: {}", pattern, bad.what()));
  }
  return lines;
}

}  // namespace

StepShape log_shape() {
  return {"log",
          "probe",
          "The daemon's output since its last start: {matches: […], lines: n}.",
          "must",
          {{"must", ValueKind::text, false, "a regular expression that some line must match"},
           {"must_not", ValueKind::text, false, "one that no line may match"}},
          true,
          false,
          "- log: {must_not: 'panic|assert'}"};
}

Result<Observation> log_look(Session& session, const Arguments& arguments, const Limit&) {
  if (!session.daemon) return fail(ErrorKind::invalid, "log: no daemon was started");
  std::string output = session.daemon->output();
  std::string must = arguments.text_or("must", ""), must_not = arguments.text_or("must_not", "");
  if (must.empty() && must_not.empty()) {
    return fail(ErrorKind::invalid, "log: name `must` or `must_not`, a regular expression");
  }
  Observation seen;
  seen.command = fmt::format("grep -E '{}' <the daemon's output>", must.empty() ? must_not : must);
  seen.evidence.push_back(session.recorder->evidence("daemon.log", output));
  auto found = matching_lines(output, must.empty() ? must_not : must);
  if (!found) return tl::unexpected(found.error());
  seen.document = {{"matches", *found}, {"lines", session.daemon->lines_seen()}};
  seen.summary = found->empty() ? "no line matches" : found->back();
  if (!must.empty() && found->empty()) {
    return fail(ErrorKind::subject, fmt::format("log: no line of {} matches `{}`; the last is: {}",
                                                session.daemon->lines_seen(), must,
                                                session.daemon->last_lines(1).empty() ? "(none)" : session.daemon->last_lines(1)[0]));
  }
  if (must.empty() && !found->empty()) {
    return fail(ErrorKind::subject, fmt::format("log: a line matches `{}`: {}", must_not, found->front()));
  }
  if (!must.empty() && !must_not.empty()) {
    auto forbidden = matching_lines(output, must_not);
    if (!forbidden) return tl::unexpected(forbidden.error());
    if (!forbidden->empty()) {
      return fail(ErrorKind::subject, fmt::format("log: a line matches `{}`: {}", must_not, forbidden->front()));
    }
  }
  return seen;
}
}  // namespace harness
