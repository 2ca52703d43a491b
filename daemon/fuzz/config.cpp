// The config file: refused with its place and what to do, or every value within its bounds.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "daemon/config/config.h"
#include "daemon/fuzz/targets.h"

namespace aima::fuzz {

void read_config(std::string_view input) {
  const int file = ::memfd_create("config", MFD_CLOEXEC);
  if (file < 0 || ::write(file, input.data(), input.size()) != static_cast<ssize_t>(input.size())) {
    broken("no file for the config");
  }
  StartOptions options;
  options.data_dir = "/nonexistent/aima";
  options.config_file = "/proc/self/fd/" + std::to_string(file);
  const auto config = load_config(options);
  ::close(file);
  if (!config) {
    const ConfigError& error = config.error();
    if (error.exit_status != 64 && error.exit_status != 78) broken("a refusal with another status");
    if (error.message.size() < 10) broken("a refusal that says nothing");
    return;
  }
  if (config->host.empty()) broken("an address without a host");
  const auto [first, last] = config->engine_ports;
  if (first < 1 || last > 65535 || first > last) broken("engine ports that are none");
  if (config->shutdown_timeout.count() < 0 || config->inference_timeout.count() < 0) {
    broken("a length of time below nothing");
  }
  for (const auto& [domain, kind] : config->stores) {
    if (kind != "memory" && kind != "sqlite") broken("a store of kind " + kind + " for " + domain);
  }
}

}  // namespace aima::fuzz
