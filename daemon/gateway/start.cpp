// aima start: configuration, log, daemon.
#include "daemon/gateway/start.h"

#include <csignal>

#include "daemon/base/descriptor_limit.h"
#include "daemon/config/config.h"
#include "daemon/gateway/daemon.h"
#include "daemon/log/log.h"

namespace aima {

int run_start(const StartOptions& options) {
  const auto config = load_config(options);
  if (!config) {
    if (options.log_format == "json") init_log(*log_format_from("json"), "info");
    log_error("start", config.error().message);
    return config.error().exit_status;
  }
  init_log(*log_format_from(config->log_format), config->log_level);
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is an error of that write
  raise_descriptor_limit();        // a chat under way takes two
  auto inherited = take_inherited_listener();
  if (!inherited) {
    log_error("start", inherited.error().message);
    return 78;
  }
  Daemon daemon(*config, options, std::move(*inherited));
  if (const auto opened = daemon.open(); !opened) {
    log_error("start", opened.error().message);
    return opened.error().exit_status;
  }
  return daemon.serve();
}

}  // namespace aima
