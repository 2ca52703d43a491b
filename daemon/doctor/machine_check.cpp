// Ports, disk and clock.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <set>

#include "daemon/doctor/checks.h"
#include "daemon/gateway/port_holder.h"
#include "daemon/provider/rows.h"

namespace aima::doctor {
namespace fs = std::filesystem;
using provider::number_of;
using provider::text_of;
namespace {

constexpr std::uint64_t kLittleRoom = 512U << 20;  // models and logs grow: time to look
constexpr std::uint64_t kNoRoom = 32U << 20;       // a checkpoint may already fail
constexpr std::uint64_t kFewInodes = 1000;
constexpr std::uint64_t kNoInodes = 16;
constexpr std::size_t kMostPorts = 8;
constexpr std::time_t kNotBefore = 1'735'689'600;  // 2025-01-01: this program is younger
constexpr std::time_t kTolerated = 60;             // s that a stored time may lie ahead

std::string holder_text(int port) {
  const std::string holder = describe_port_holder(static_cast<std::uint16_t>(port));
  return holder.empty() ? "a process that we may not see" : holder;
}

// Of the services here: what their engines hold or held, and may want again.
std::set<int> ports_of_services(const Subject& subject) {
  std::set<int> ports;
  for (const Json& row : subject.services.value_or(std::vector<Json>{})) {
    for (const char* key : {"port", "requested_port"}) {
      if (const int port = number_of(row, key); port != 0) ports.insert(port);
    }
  }
  return ports;
}

std::set<int> ports_of_engines(const Engines& engines) {
  std::set<int> ports;
  for (const auto* all : {&engines.native, &engines.docker}) {
    for (const auto& instance : *all) {
      if (instance.is_live() && instance.port != 0) ports.insert(instance.port);
    }
  }
  return ports;
}

// RFC 3339 in UTC; -1 for anything else.
std::time_t time_of(const std::string& text) {
  std::tm parts{};
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return -1;
  return ::timegm(&parts);
}
}  // namespace

Finding check_address(const Subject& subject) {
  Finding finding{"address"};
  const int port = subject.config.port;
  const std::string address = fmt::format("{}:{}", subject.config.host, port);
  if (subject.serves_this) {
    finding.found = text_of(subject.daemon.info, "addr") + " is the daemon's";
    return finding;
  }
  if (port == 0) {
    finding.found = "any free port";
    return finding;
  }
  if (!listening_ports().contains(static_cast<std::uint16_t>(port))) {
    finding.found = address + " is free";
    return finding;
  }
  finding.grade = Grade::broken;
  finding.found = fmt::format("{} is taken by {}", address, holder_text(port));
  finding.advice = "end it, or give aima another address: --addr, or addr in the settings file";
  if (subject.daemon.is_aima()) {  // it serves another folder
    finding.grade = Grade::warning;
    finding.advice = "a daemon for this folder needs another address: --addr";
  }
  return finding;
}

Finding check_engine_ports(const Subject& subject, const Engines& engines) {
  Finding finding{"ports"};
  const auto [first, last] = subject.config.engine_ports;
  const std::set<int> ours = ports_of_engines(engines);
  const std::set<int> wanted = ports_of_services(subject);
  std::vector<std::string> foreign, blocked;
  int taken = 0;
  const auto holds = listening_ports();
  for (int port = first; port <= last; ++port) {
    if (!holds.contains(static_cast<std::uint16_t>(port))) continue;
    ++taken;
    if (!ours.contains(port) && foreign.size() < kMostPorts) {
      foreign.push_back(fmt::format("{} is taken by {}", port, holder_text(port)));
    }
  }
  for (const Json& row : subject.services.value_or(std::vector<Json>{})) {
    const int port = number_of(row, "requested_port");
    if (port == 0 || ours.contains(port) || !holds.contains(static_cast<std::uint16_t>(port))) continue;
    blocked.push_back(fmt::format("{} ({}) wants port {}, which is taken by {}", text_of(row, "id"),
                                  text_of(row, "name"), port, holder_text(port)));
  }
  const int all = last - first + 1;
  finding.found = fmt::format("{} of {} engine ports ({}-{}) are free", all - taken, all, first, last);
  if (!foreign.empty()) {
    finding.found += fmt::format("; {} held by others, which are passed over", foreign.size());
  }
  finding.details = std::move(foreign);
  finding.details.insert(finding.details.end(), blocked.begin(), blocked.end());
  if (taken == all) {
    finding.grade = Grade::broken;
    finding.advice = "no service can get a port: free some, or give a wider --engine-ports";
  } else if (!blocked.empty()) {
    finding.grade = Grade::warning;
    finding.advice = "these services cannot start: free the port, or make them anew without --port";
  }
  return finding;
}

Finding check_disk(const Subject& subject) {
  Finding finding{"disk"};
  fs::path place = subject.data_dir;
  std::error_code error;
  while (!fs::exists(place, error) && place.has_relative_path()) place = place.parent_path();
  struct statvfs room {};
  if (::statvfs(place.c_str(), &room) != 0) {
    finding.grade = Grade::broken;
    finding.found = fmt::format("{} cannot be looked at: {}", place.string(), std::strerror(errno));
    return finding;
  }
  const std::uint64_t there = std::uint64_t{room.f_bavail} * room.f_frsize;
  const bool counts_inodes = room.f_files > 0;
  finding.found = fmt::format("{} MiB free at {}", there >> 20, place.string());
  if (counts_inodes) finding.found += fmt::format(", {} inodes", std::uint64_t{room.f_favail});
  const auto mark = [&finding](Grade grade, const std::string& advice) {
    if (grade < finding.grade) return;
    finding.grade = grade;
    finding.advice = advice;
  };
  if (there < kLittleRoom) mark(Grade::warning, "free some space: below 32 MiB writes may fail");
  if (counts_inodes && room.f_favail < kFewInodes) {
    mark(Grade::warning, "few files more can be made: remove some");
  }
  if (there < kNoRoom) {
    mark(Grade::broken, "free some space: writes answer 507 and nothing is stored; a running daemon "
                        "goes on by itself");
  }
  if (counts_inodes && room.f_favail < kNoInodes) {
    mark(Grade::broken, "no more files can be made: remove some");
  }
  if ((room.f_flag & ST_RDONLY) != 0) {
    finding.found += "; it is mounted read-only";
    mark(Grade::broken, "mount it read-write; the kernel's log may say why it is not");
  }
  return finding;
}

Finding check_clock(const Subject& subject) {
  Finding finding{"clock"};
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  timex state{};
  const bool asked = ::adjtimex(&state) != -1;
  finding.found = text;
  if (asked) finding.found += (state.status & STA_UNSYNC) != 0 ? ", not synchronised" : ", synchronised";
  const std::time_t newest = time_of(subject.newest);
  if (now < kNotBefore) {
    finding.grade = Grade::broken;
    finding.found += ": that is before this program was made";
    finding.advice = "set the clock: times in the store and idempotency keys depend on it";
  } else if (newest > now + kTolerated) {
    finding.grade = Grade::warning;
    finding.found += fmt::format("; but the store has rows of {}, {} s ahead", subject.newest, newest - now);
    finding.advice = "the clock went back since, or was wrong then: set it";
  }
  return finding;
}
}  // namespace aima::doctor
