// What config.cpp and settings_guard.cpp share: how one setting is written down, and the rows and
// checks of [security] and [limits]. Internal to this part.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/config/config.h"
#include "daemon/config/config_file.h"

namespace aima {

using Fault = std::optional<std::string>;  // what is wrong with a value; nothing: it is set

struct Setting {
  std::string_view key;  // in the file; the flag is --key with '_' as '-'
  std::function<Fault(Config&, const std::string&)> set;
  std::optional<std::string> StartOptions::*flag = nullptr;
  std::string_view flag_name = {};
};

std::optional<int> whole_number(std::string_view text, int least, int most);

// `rows` and those of [security] and [limits].
std::vector<Setting> with_guard_settings(std::vector<Setting> rows);

// The one list among the settings. No fault shows a key. A file with keys in it has to be as
// private as a key is.
inline constexpr std::string_view api_keys_key = "security.api_keys";
Fault set_api_keys(Config& config, const FileEntry& entry);

// AIMA_API_KEYS_FILE and AIMA_API_KEYS.
tl::expected<void, ConfigError> apply_key_environment(Config& config);

// An address that others can reach needs a key.
tl::expected<void, ConfigError> check_address(const Config& config, const StartOptions& options);

}  // namespace aima
