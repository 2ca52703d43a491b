// What `aima doctor` was given on the command line. Absent: not typed.
#pragma once
#include <chrono>
#include <optional>
#include <string>

namespace aima {

struct DoctorOptions {
  std::optional<std::string> data_dir;     // --data-dir DIR
  std::optional<std::string> config_file;  // --config FILE
  std::optional<std::string> server;       // --server or AIMA_SERVER; else the config's address
  std::string api_key;
  std::optional<std::chrono::milliseconds> timeout;  // of the whole look at the store
};

}  // namespace aima
