// Providers, and rows against what runs. Asks for lists; never starts, stops or removes anything.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "daemon/doctor/checks.h"
#include "daemon/gateway/start_settings.h"
#include "daemon/provider/docker.h"
#include "daemon/provider/instance_file.h"
#include "daemon/provider/native.h"
#include "daemon/provider/rows.h"
#include "daemon/provider/runtime_impl.h"

namespace aima::doctor {
namespace fs = std::filesystem;
using provider::Instance;
using provider::number_of;
using provider::text_of;
namespace {
using namespace std::chrono_literals;
constexpr auto kForAList = 5s;

bool expects_an_instance(const Json& row) {
  const std::string status = text_of(row, "status");
  return status == "running" || status == "starting" || status == "stopping";
}

bool on_docker(const Json& row) {
  const std::string name = text_of(row, "provider");
  return name == "docker" || name == "podman";
}

std::size_t services_on_docker(const Subject& subject) {
  if (!subject.services) return 0;
  return static_cast<std::size_t>(
      std::count_if(subject.services->begin(), subject.services->end(),
                    [](const Json& row) { return on_docker(row) && expects_an_instance(row); }));
}

std::string name_of_row(const Json& row) {
  return fmt::format("{} ({})", text_of(row, "id"), text_of(row, "name"));
}

std::string instance_text(const Instance& instance, const std::string& kind) {
  const bool process = kind == "native";
  const std::string what = fmt::format("{} {}", process ? "process" : "container",
                                       instance.id.substr(0, process ? 20 : 12));
  return instance.is_live() ? what + (instance.state == provider::InstanceState::paused ? " is paused"
                                                                                        : " runs")
                            : what + ": " + instance.detail;
}

// What a row says that is not so; empty where it is right.
std::string drift_of(const Json& row, const std::optional<Instance>& instance,
                     const std::string& kind) {
  using Kind = provider::Judgement::Kind;
  const std::string status = text_of(row, "status");
  const auto judgement = provider::judge(row, instance);
  const std::string seen = instance ? instance_text(*instance, kind) : "nothing carries its label";
  switch (judgement.kind) {
    case Kind::stopped:
    case Kind::failed:
      return fmt::format("{} reads {}, but {}", name_of_row(row), status, seen);
    case Kind::adopted:
      if (status != "running") return fmt::format("{} reads {}, but {}", name_of_row(row), status, seen);
      if (instance->port != 0 && instance->port != number_of(row, "port")) {
        return fmt::format("{} reads port {}, its engine has {}", name_of_row(row),
                           number_of(row, "port"), instance->port);
      }
      return "";
    case Kind::still_starting:
    case Kind::unchanged:
      break;
  }
  return "";
}

const Instance* find_for(const std::vector<Instance>& all, const std::string& service) {
  const Instance* found = nullptr;
  for (const Instance& one : all) {
    if (one.service_id == service && (found == nullptr || one.is_live())) found = &one;
  }
  return found;
}

void name_orphans(const std::vector<Instance>& all, const std::string& kind,
                  const std::vector<Json>& rows, Finding& finding) {
  for (const Instance& instance : all) {
    const bool known = std::any_of(rows.begin(), rows.end(), [&](const Json& row) {
      return text_of(row, "id") == instance.service_id;
    });
    if (known) continue;
    finding.details.push_back(fmt::format("no row for {}: {}", instance.service_id,
                                          instance_text(instance, kind)));
  }
}
}  // namespace

Engines look_for_engines(const Subject& subject) {
  Engines engines;
  const auto settings = runtime_options(subject.config);
  const provider::Labels scope = settings ? settings->labels : provider::Labels{};
  if (!subject.data_dir.empty()) {
    const provider::InstanceFolder folder(subject.data_dir / "instances");
    std::error_code error;
    for (fs::directory_iterator entry(subject.data_dir / "instances", error), end;
         !error && entry != end; entry.increment(error)) {
      const fs::path& path = entry->path();
      if (path.extension() == ".json" && !folder.read(path.stem().string())) {
        engines.unreadable.push_back(path.string());
      }
    }
    auto found = provider::make_native_provider(subject.data_dir, scope)->find("", {kForAList, {}});
    if (found) engines.native = std::move(*found);
  }
  if (subject.config.provider == "native" && services_on_docker(subject) == 0) return engines;
  engines.docker_asked = true;
  const char* given = std::getenv("DOCKER_HOST");
  const std::string host = given != nullptr && *given != '\0' ? given : RuntimeOptions{}.docker_host;
  engines.docker_name = host;
  const auto endpoint = http::Endpoint::parse(host);
  if (!endpoint) {
    engines.docker_said = "DOCKER_HOST: " + endpoint.error().message;
    return engines;
  }
  const auto docker = provider::make_docker_provider(*endpoint, host, scope);
  if (auto answers = docker->ping({kForAList, {}}); !answers) {
    engines.docker_said = answers.error().message;
    return engines;
  }
  engines.docker_kind = docker->name();
  engines.docker_name = docker->description();
  auto found = docker->find("", {kForAList, {}});
  if (found) {
    engines.docker = std::move(*found);
  } else {
    engines.docker_said = found.error().message;
  }
  return engines;
}

Finding check_provider(const Subject& subject, const Engines& engines) {
  Finding finding{"provider"};
  const std::size_t waiting = services_on_docker(subject);
  if (!engines.docker_asked) {
    finding.found = "native processes";
    return finding;
  }
  if (engines.docker_said.empty()) {
    finding.found = engines.docker_name;
    return finding;
  }
  const char* given = std::getenv("DOCKER_HOST");
  const bool asked_for = given != nullptr && *given != '\0';
  finding.found = engines.docker_said;
  finding.advice = "start it, point DOCKER_HOST at it, or use --provider native";
  if (waiting > 0) {
    finding.grade = Grade::broken;
    finding.found += fmt::format("; {} services run on it and are unverified until it answers", waiting);
    finding.advice = "start it, or point DOCKER_HOST at it";
  } else if (subject.config.provider == "docker") {
    finding.grade = Grade::broken;
    finding.found += "; the settings demand it";
  } else if (asked_for) {
    finding.grade = Grade::warning;
    finding.found += "; new services become native processes";
  } else {
    finding.found = "native processes, as no container engine answers at " + engines.docker_name;
    finding.advice.clear();
  }
  return finding;
}

Finding check_rows(const Subject& subject, const Engines& engines) {
  Finding finding{"services"};
  if (!subject.services) {
    finding.grade = Grade::skipped;
    finding.found = "the rows could not be read";
    return finding;
  }
  std::size_t unknown = 0;
  for (const Json& row : *subject.services) {
    const std::string status = text_of(row, "status");
    if (subject.serves_this && (status == "starting" || status == "stopping")) continue;
    if (on_docker(row) && (!engines.docker_asked || !engines.docker_said.empty())) {
      unknown += expects_an_instance(row) ? 1 : 0;
      continue;
    }
    if (on_docker(row) && text_of(row, "provider") != engines.docker_kind) continue;
    const Instance* instance =
        find_for(on_docker(row) ? engines.docker : engines.native, text_of(row, "id"));
    std::string drift = drift_of(row, instance ? std::optional(*instance) : std::nullopt,
                                 on_docker(row) ? "docker" : "native");
    if (!drift.empty()) finding.details.push_back(std::move(drift));
  }
  name_orphans(engines.native, "native", *subject.services, finding);
  name_orphans(engines.docker, "docker", *subject.services, finding);
  for (const std::string& path : engines.unreadable) {
    finding.details.push_back(path + " is no instance file, and its engine is not found by it");
  }
  finding.found = fmt::format("{} services, {} engines", subject.services->size(),
                              engines.native.size() + engines.docker.size());
  if (unknown > 0) {
    finding.grade = Grade::warning;
    finding.found += fmt::format("; {} could not be compared: their provider does not answer", unknown);
  }
  if (finding.details.empty()) {
    if (unknown == 0) finding.found += ": rows and engines agree";
    return finding;
  }
  finding.grade = Grade::warning;
  finding.found += fmt::format("; {} differ", finding.details.size());
  finding.advice =
      subject.serves_this
          ? "the daemon corrects its rows within seconds: ask again; what stays is not its own"
          : "the next start corrects the rows; what has no row belongs to another data folder, or "
            "its row was lost: look before you remove it";
  return finding;
}
}  // namespace aima::doctor
