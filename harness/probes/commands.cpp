// The `cli` and `shell` probes: one command run to its end; its output is the document.
#include <fmt/format.h>

#include "harness/base/read_json.h"
#include "harness/clients/command.h"
#include "harness/probes/rows.h"
#include "harness/target/enclosure.h"

namespace harness {
namespace {

std::map<std::string, std::string> environment_of(const Session& session) {
  std::map<std::string, std::string> environment = {
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"LANG", "C.UTF-8"},
      {"AIMA_RUN", session.run_id}};
  for (const auto& [name, value] : session.target.environment) {
    if (auto text = substitute(value, session.variables)) environment[name] = *text;
  }
  if (auto home = substitute(session.target.home, session.variables); home && !home->empty()) {
    environment["HOME"] = *home;
  }
  return environment;
}

Result<Json> document_of(const std::string& out) {
  JsonReading document = read_json(out);
  if (document.is_json()) return std::move(document.value);
  if (document.kind == JsonReading::Kind::too_much) {
    return fail(ErrorKind::invalid, "the output is JSON " + document.why + "; more is not judged");
  }
  std::string text = out;
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string tail(const std::string& text) {
  constexpr std::size_t most = 300;
  return text.size() <= most ? text : "…" + text.substr(text.size() - most);
}

constexpr std::size_t most_output = 8u << 20;

Result<Observation> run_and_judge(Session& session, const Arguments& arguments,
                                  const std::vector<std::string>& argv, const Limit& limit) {
  Command command{argv, environment_of(session), session.workspace->root().string(), most_output,
                  group_entrance(session.run_id)};
  auto result = run_command(command, limit);
  if (!result) return tl::unexpected(result.error());
  double ms = std::chrono::duration<double, std::milli>(result->end - result->begin).count();
  Observation seen;
  seen.command = quote_words(argv);
  seen.bindings = {{"exit", result->exit},
                   {"stdout", result->out},
                   {"stderr", result->err},
                   {"elapsed_ms", ms}};
  std::vector<std::string> shown = argv;  // the program's folder says nothing in a line
  shown.front() = shown.front().substr(shown.front().rfind('/') + 1);
  seen.summary = fmt::format("exit {} in {:.1f} ms: {}", result->exit, ms, quote_words(shown));
  seen.evidence.push_back(session.recorder->evidence(
      "command.txt", fmt::format("$ {}\n{}{}(exit {})\n", seen.command, result->out, result->err,
                                 result->exit)));
  if (result->timed_out) {
    return fail(ErrorKind::subject, fmt::format("{}: did not end within {:.0f} ms; {}", seen.command,
                                                ms, tail(result->err)));
  }
  std::int64_t wanted = arguments.integer_or("exit", 0);
  const bool as_wanted = arguments.text_or("exit", "") == "any" || result->exit == wanted;
  if (as_wanted && result->cut) {
    return fail(ErrorKind::invalid,
                fmt::format("{}: it wrote {} bytes to stdout and {} to stderr; the first {} of each "
                            "are kept, and what is cut is not judged", seen.command,
                            result->out_bytes, result->err_bytes, most_output));
  }
  if (as_wanted) {
    auto document = document_of(result->out);
    if (!document) return within(seen.command, document.error());
    seen.document = std::move(*document);
    return seen;
  }
  return fail(ErrorKind::subject, fmt::format("{}: expected exit {}, found {}: {}", seen.command,
                                              wanted, result->exit, tail(result->err + result->out)));
}

}  // namespace

StepShape cli_shape() {
  return {"cli",
          "request",
          "The target's own command line; its JSON output is the document.",
          "command",
          {{"command", ValueKind::text_list, true, "the arguments: model create --name x"},
           {"exit", ValueKind::text, false, "expected exit status, or `any`; default 0"},
           {"deadline", ValueKind::duration, false, "default 30s"}},
          true,
          false,
          "- cli: model create --name restart-test --source ollama\n  capture: {model_id: .id}"};
}

Result<Observation> cli_look(Session& session, const Arguments& arguments, const Limit& limit) {
  if (session.target.cli.empty()) {
    return fail(ErrorKind::invalid, fmt::format("target {} names no `cli`", session.target.name));
  }
  std::vector<std::string> argv;
  for (const auto& word : session.target.cli) {
    auto text = substitute(word, session.variables);
    if (!text) return tl::unexpected(text.error());
    argv.push_back(*text);
  }
  auto given = arguments.texts("command");
  if (given.size() == 1) {
    auto words = split_words(given.front());
    if (!words) return tl::unexpected(words.error());
    given = *words;
  }
  argv.insert(argv.end(), given.begin(), given.end());
  auto extra = split_words(session.target.cli_json);
  if (extra) argv.insert(argv.end(), extra->begin(), extra->end());
  auto deadline = arguments.duration_or("deadline", Milliseconds(30000));
  if (!deadline) return tl::unexpected(deadline.error());
  return run_and_judge(session, arguments, argv, limit.within(*deadline));
}

StepShape shell_shape() {
  return {"shell",
          "request",
          "A shell command in the sandbox; its output is the document.",
          "command",
          {{"command", ValueKind::text, true, "given to /bin/sh -c, working folder = the sandbox"},
           {"exit", ValueKind::text, false, "expected exit status, or `any`; default 0"},
           {"deadline", ValueKind::duration, false, "default 30s"}},
          true,
          false,
          "- shell: redis-cli -p ${port} get key1\n  expect: '. == \"value1\"'"};
}

Result<Observation> shell_look(Session& session, const Arguments& arguments, const Limit& limit) {
  auto text = arguments.text("command");
  if (!text) return tl::unexpected(text.error());
  auto deadline = arguments.duration_or("deadline", Milliseconds(30000));
  if (!deadline) return tl::unexpected(deadline.error());
  return run_and_judge(session, arguments, {"/bin/sh", "-c", *text}, limit.within(*deadline));
}
}  // namespace harness
