// new: a scenario to start from, which passes check as it is.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ostream>

#include "harness/base/unique_fd.h"
#include "harness/cli/commands.h"
#include "harness/cli/root.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* starter = R"yaml(# yaml-language-server: $schema={1}
# What a daemon is killed for, and what must hold afterwards. Every key: scenarios/README.md.
#   aima-harness check {2}     is it right? (nothing is started)
#   aima-harness run {2}       try it
scenario: {0}
title: One line that the report shows
story: >
  What the user wants to know, in the user's words.
target: aima                    # fixtures/targets/aima.yaml says how to run the daemon
timeout: 60s                    # of the whole run

# What must hold. Each needs a step that judges it (`criterion: 1`).
criteria:
  1: A model that was created survives SIGKILL
  2: The database is whole after SIGKILL

steps:
  - start: {{}}                   # until it is ready

  # `capture` keeps values: ${{model_id}} in texts, $model_id in jq.
  - http: POST /api/model/create
    body: {{name: {0}-model, source: ollama, repo: tinyllama}}
    capture: {{model_id: .id}}

  - signal: KILL
  - await: {{exit: {{signal: KILL}}}}

  # Looks at a copy: the daemon's own files are not opened.
  - sqlite: {{integrity: full}}
    criterion: 2

  - start: {{}}

  # `expect` is jq and passes on exactly one output that is true. A step without `criterion` that
  # fails ends the scenario.
  - http: GET /api/model/list
    criterion: 1
    expect: '[.items[] | select(.id == $model_id)] | length == 1'

  - stop: {{}}

# Runs whatever happened above. Processes and containers of the run are removed anyway.
finally: []
)yaml";

bool names_a_file(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".yaml") || name.ends_with(".yml");
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 80 && name.front() != '-' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

int refuse(const CommandContext& context, int status, const std::string& message) {
  context.err << message << '\n';
  return status;
}
}  // namespace

int command_new(const CommandContext& context, const std::string& name) {
  const fs::path path = names_a_file(name) ? fs::path(name)
                                           : own_scenario_folder({context.root, context.root_of_executable}) / (name + ".yaml");
  const std::string stem = path.stem().string();
  if (!is_name(stem)) {
    return refuse(context, exit_usage,
                  fmt::format("new {}: `{}` cannot name a scenario: letters, digits, - _ and . only", name, stem));
  }
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  const fs::path schema = fs::weakly_canonical(context.root / "reports/schema/scenario.schema.json", error);
  const fs::path folder = fs::weakly_canonical(path, error).parent_path();
  const std::string relative = context.root_of_executable ? schema.string() : schema.lexically_relative(folder).string();
  const std::string text = fmt::format(fmt::runtime(starter), stem, relative, path.string());

  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) {
    const std::string hint = errno == EEXIST ? "it is there already; remove it or take another name"
                                             : std::strerror(errno);
    return refuse(context, errno == EEXIST ? exit_usage : exit_error,
                  fmt::format("new {}: {} was not written: {}", name, path.string(), hint));
  }
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return refuse(context, exit_error, fmt::format("new {}: writing {}: {}", name, path.string(),
                                                   std::strerror(errno)));
  }
  context.out << fmt::format("{}\nnext: aima-harness check {}\n", path.string(), path.string());
  return exit_pass;
}
}  // namespace harness
