// The `log` probe: the output of the daemon's present instance, searched.
#include <fmt/format.h>

#include <sstream>

#include "harness/base/pattern.h"
#include "harness/probes/rows.h"

namespace harness {
namespace {

Result<std::vector<std::string>> matching_lines(const std::string& output, const std::string& pattern) {
  const auto expression = Pattern::compile(pattern);
  if (!expression) return within("log", expression.error());
  std::vector<std::string> lines;
  std::istringstream text(output);
  for (std::string line; std::getline(text, line);) {
    if (line.size() > Pattern::looked_at) line.resize(Pattern::looked_at);
    const auto matches = expression->found_in(line);
    if (!matches) return within("log", matches.error());
    if (*matches) lines.push_back(line);
  }
  return lines;
}

// That no line matches is only known where every line was looked at.
Result<void> all_was_kept(const Child& daemon, const std::string& pattern) {
  const std::size_t gone = daemon.left_out();
  if (gone == 0) return {};
  return fail(ErrorKind::invalid,
              fmt::format("log: no line that is kept matches `{}`, but {} bytes in the middle of the "
                          "daemon's output are not kept: nobody knows", pattern, gone));
}

}  // namespace

StepShape log_shape() {
  return {"log",
          "probe",
          "The daemon's output since its last start: {matches: […], lines: n}.",
          "must",
          {{"must", ValueKind::pattern, false, "a regular expression that some line must match"},
           {"must_not", ValueKind::pattern, false, "one that no line may match"}},
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
  const Child& daemon = *session.daemon;
  if (found->empty()) {
    if (auto whole = all_was_kept(daemon, must.empty() ? must_not : must); !whole) {
      return tl::unexpected(whole.error());
    }
  }
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
    if (auto whole = all_was_kept(daemon, must_not); !whole) return tl::unexpected(whole.error());
  }
  // What is not kept was not searched either: an `expect` must not count the matches.
  if (daemon.left_out() > 0) seen.document["cut"] = true;
  return seen;
}
}  // namespace harness
