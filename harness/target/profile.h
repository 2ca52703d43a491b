// How to run one daemon: a target file (fixtures/targets/*.yaml) as typed values. Texts hold
// ${name}: ${port}, ${data}, ${home}, ${run_id}, ${engine_ports}, ${sandbox}, ${root}, ${bin} (the
// folder of the harness executable), ${provider} and the target's own `vars`.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/scenario/scenario.h"

namespace harness {

struct DomainProfile {
  std::string name;                      // "models"
  std::string list;                      // "GET /api/model/list"
  Expression items;                      // '.items[]'
  std::string key = "id";                // field that names one object
  std::vector<std::string> volatile_fields;
  std::string created_by;                // optional jq predicate: which objects this run made
};

struct ReadyProfile {
  std::string by = "port";               // notify | log | port | http
  std::string log;                       // regular expression, by: log
  std::string http;                      // path answering 200, by: http
  Milliseconds timeout{10000};
};

// A ${name} of a target file, and where it stands.
struct TargetReference {
  std::string name;
  std::string written;                   // "${name.field}"
  Span place;
};

struct TargetProfile {
  std::string name;
  std::string file;
  std::vector<std::string> command;      // argv; [0] looked up in PATH or relative to ${root}
  std::map<std::string, std::string> environment;  // on top of a minimal PATH, HOME, LANG
  std::string data;                      // data folder inside the sandbox, e.g. "${home}/.aima/data"
  std::string home;                      // HOME inside the sandbox
  ReadyProfile ready;
  std::string base_url;                  // "http://127.0.0.1:${port}"; empty: no HTTP
  std::vector<std::string> cli;          // argv prefix of `cli:` steps
  std::string cli_json;                  // appended to cli steps: "--output json"; empty: nothing
  std::vector<DomainProfile> domains;
  std::vector<std::string> sqlite;       // database files
  std::string container_label;           // label whose presence marks the daemon's containers
  std::string service_label;             // "aima.service"
  std::string instance_files;            // native engines: "${data}/instances"
  std::map<std::string, std::string> vars;
  std::map<std::string, std::string> provider_arguments;  // provider → extra argument(s)
  Milliseconds shutdown_timeout{30000};
  std::vector<TargetReference> references;  // of the file's texts that no override replaced
  Span span;
};

// The file that a target's name or path means: a path is looked for in the folder of `beside` (the
// scenario file; empty: none), in the current folder and under `root`; a name is NAME.yaml in
// fixtures/targets under `root`. Empty where there is none.
std::string find_target(const std::string& name_or_path, const std::string& beside,
                        const std::string& root);
// The names in fixtures/targets under `root`.
std::vector<std::string> target_names(const std::string& root);

// What a target file says; `file` names it in what is wrong.
tl::expected<TargetProfile, std::vector<Diagnostic>> parse_target(
    const std::string& text, const std::string& file,
    const std::map<std::string, std::string>& overrides);

// Reads a target file by name (fixtures/targets/NAME.yaml under `root`) or path; `overrides` are
// --set target.KEY=VALUE (target.command is split like a shell's words).
tl::expected<TargetProfile, std::vector<Diagnostic>> load_target(
    const std::string& name_or_path, const std::string& root,
    const std::map<std::string, std::string>& overrides);
}  // namespace harness
