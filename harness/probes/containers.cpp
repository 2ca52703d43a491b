// The `containers` probe: what the container engine says of this run's containers. With the native
// provider the same questions are answered from the daemon's instance files and /proc, so that one
// scenario serves both; the report then says that Docker was not tested.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/base/read_file.h"
#include "harness/base/read_json.h"
#include "harness/probes/proc.h"
#include "harness/probes/rows.h"
#include "harness/target/enclosure.h"

namespace harness {
namespace {

constexpr std::size_t most_instance_file = 1 << 20;

bool has_label(const Json& labels, const std::string& wanted) {
  auto equals = wanted.find('=');
  std::string key = wanted.substr(0, equals);
  auto found = labels.find(key);
  if (found == labels.end()) return false;
  return equals == std::string::npos || *found == wanted.substr(equals + 1);
}

// Empty: the file was removed after the folder was listed. One that was put in its place is read.
Result<std::optional<std::string>> read_listed(const std::filesystem::path& path) {
  constexpr int most_replacements = 100;
  for (int tries = 1;; ++tries) {
    auto text = read_file(path, most_instance_file);
    if (text) return std::optional(std::move(*text));
    std::error_code ignored;
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
      return std::optional<std::string>();
    }
    if (tries == most_replacements) return fail(ErrorKind::subject, text.error().message);
  }
}

Result<Json> native_list(const Session& session, const std::vector<std::string>& labels) {
  auto folder = substitute(session.target.instance_files, session.variables);
  if (!folder) return tl::unexpected(folder.error());
  Json list = Json::array();
  std::error_code error;
  std::filesystem::directory_iterator entry(*folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() != ".json") continue;
    const auto text = read_listed(entry->path());
    if (!text) return tl::unexpected(text.error());
    if (!*text) continue;
    const Json instance = read_json(**text).value;
    if (!instance.is_object()) {
      return fail(ErrorKind::subject, fmt::format("{} is no JSON object", entry->path().string()));
    }
    Json own = held(instance, "labels", Json::object());
    bool wanted = true;
    for (const auto& label : labels) wanted = wanted && has_label(own, label);
    if (!wanted) continue;
    auto pid = pid_outside(session.run_id, held(instance, "pid", 0));
    auto ticks = held(instance, "start_ticks", std::uint64_t{0});
    auto status = read_status(pid);
    bool alive = status && status->start_ticks == ticks && status->state != 'Z' && status->state != 'X';
    list.push_back({{"id", fmt::format("{}:{}", pid, ticks)},
                    {"name", entry->path().stem().string()},
                    {"state", !alive ? "exited" : status->state == 'T' ? "paused" : "running"},
                    {"pid", pid},
                    {"port", held(instance, "port", Json())},
                    {"labels", own}});
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail(ErrorKind::environment, fmt::format("containers: {} cannot be listed: {}", *folder,
                                                    error.message()));
  }
  return list;
}

}  // namespace

StepShape containers_shape() {
  return {"containers",
          "probe",
          "The run's containers (native provider: engine processes), as a list of {id, name, state, labels, …}.",
          "label",
          {{"label", ValueKind::text_list, false, "only those with these labels: key or key=value"},
           {"state", ValueKind::text, false, "only those in this state",
            {"running", "exited", "created", "paused", "dead", "restarting", "removing"}}},
          true,
          false,
          "- containers: aima.service=${service_id}\n  expect: 'length == 1 and .[0].state == \"running\"'",
          "nothing"};
}

Result<Observation> containers_look(Session& session, const Arguments& arguments, const Limit& limit) {
  auto labels = arguments.texts("label");
  std::string shown = fmt::format("{}", fmt::join(labels, ", "));
  Observation seen;
  Result<Json> list = fail(ErrorKind::environment,
                           "containers: this run has no container engine and no native provider");
  if (session.engine) {
    auto filter = labels;
    filter.push_back("aima.run=" + session.run_id);
    seen.command = "docker ps -a";
    for (const auto& label : filter) seen.command += " --filter label=" + label;
    auto engine = *session.engine;
    list = engine.list(filter, limit.within(Milliseconds(10000)));
  } else if (session.provider == "native") {
    seen.command = fmt::format("cat {}/*.json   # and /proc/<pid>/stat", session.target.instance_files);
    list = native_list(session, labels);
  }
  if (!list) return tl::unexpected(list.error());
  seen.document = Json::array();
  std::string state = arguments.text_or("state", "");
  std::string states;
  for (const auto& item : *list) {
    std::string own = held(item, "state", "");
    if (!state.empty() && own != state) continue;
    states += (states.empty() ? "" : ", ") + held(item, "name", "?") + " " + own;
    seen.document.push_back(item);
  }
  seen.bindings = {{"provider", session.provider}, {"count", seen.document.size()}};
  seen.summary = fmt::format("{} {}{}: {}", seen.document.size(),
                             session.provider == "native" ? "engine process(es)" : "container(s)",
                             shown.empty() ? "" : " with " + shown, states.empty() ? "none" : states);
  seen.evidence.push_back(session.recorder->evidence(
      "containers.json", seen.document.dump(2, ' ', false, Json::error_handler_t::replace)));
  return seen;
}
}  // namespace harness
