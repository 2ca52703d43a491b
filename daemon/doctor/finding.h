// What one check found, in words for a person; and what all checks are about.
#pragma once
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/json.h"
#include "daemon/config/config.h"

namespace aima::doctor {

enum class Grade { ok, skipped, warning, broken };

struct Finding {
  std::string check;  // "store", "disk", …: one word, stable
  Grade grade = Grade::ok;
  std::string found = {};
  std::string advice = {};                // empty where all is well
  std::vector<std::string> details = {};  // one line each: rows, files, ports
};

using Deadline = std::chrono::steady_clock::time_point;

// Set by SIGINT, SIGTERM, SIGHUP while a doctor is at work; 0 else.
int interrupted();

// A daemon, as it answers.
struct Running {
  enum class State {
    none,      // nobody listens there
    answers,   // `info` is what system.info says
    refuses,   // an aima, which did not answer the question: `said`
    silent,    // connected, and nothing came
    stranger,  // something that is no aima: `said`
    unknown    // the address cannot be asked: `said`
  };
  State state = State::none;
  std::string server;
  std::string said;
  bool ready = false;
  std::string ready_said;
  Json info = Json::object();
  std::optional<std::vector<Json>> services;  // rows as service.list answers them
  bool is_aima() const { return state == State::answers || state == State::refuses; }
};

// What the checks look at.
struct Subject {
  Config config;
  std::filesystem::path data_dir;  // empty: not known
  Running daemon;
  bool serves_this = false;  // the daemon that answers uses data_dir
  std::optional<std::vector<Json>> services;  // its own answer, or the copy's rows
  std::string newest;                         // the newest time in the store, RFC 3339; or empty
};

}  // namespace aima::doctor
