// The checks of what is around the store. Each only looks.
#pragma once
#include "daemon/doctor/finding.h"
#include "daemon/provider/instance.h"

namespace aima::doctor {

// What containers and processes there are, by provider; and why one could not be asked.
struct Engines {
  std::vector<provider::Instance> native, docker;
  std::vector<std::string> unreadable;  // instance files that are none
  bool docker_asked = false;
  std::string docker_name;       // "docker" or "podman", with its version and address
  std::string docker_said;       // empty: it answered
  std::string docker_kind;       // "docker" or "podman"
};
Engines look_for_engines(const Subject& subject);

Finding check_provider(const Subject& subject, const Engines& engines);
// Rows against what runs. Services that a running daemon is starting or stopping are left out.
Finding check_rows(const Subject& subject, const Engines& engines);
Finding check_address(const Subject& subject);
Finding check_engine_ports(const Subject& subject, const Engines& engines);
Finding check_disk(const Subject& subject);
Finding check_clock(const Subject& subject);

}  // namespace aima::doctor
