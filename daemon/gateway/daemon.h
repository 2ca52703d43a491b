// Everything one running daemon owns, in the order it is built; torn down in reverse.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <tl/expected.hpp>

#include "daemon/config/config.h"
#include "daemon/config/start_options.h"
#include "daemon/domain/engine.h"
#include "daemon/domain/unit.h"
#include "daemon/gateway/drain.h"
#include "daemon/gateway/server.h"
#include "daemon/provider/runtime.h"
#include "daemon/store/store.h"
#include "daemon/units/idempotency.h"
#include "daemon/units/pipeline_runner.h"

namespace aima {

struct StartFailure {
  int exit_status;      // 69, 74, 78
  std::string message;  // what was tried, what was found, what to do
};

class Daemon {
 public:
  // `options` are kept for SIGHUP, which reads the config file again. With `inherited` that socket is
  // served, not the configured address.
  Daemon(Config config, StartOptions options, std::optional<InheritedListener> inherited = {});
  ~Daemon();

  // Store, skills, provider, port, reconciliation. After a failure what was opened is closed.
  tl::expected<void, StartFailure> open();
  // Serves until a signal and its drain; answers the exit status.
  int serve();

 private:
  tl::expected<void, StartFailure> open_store();
  tl::expected<void, StartFailure> open_provider(RuntimeOptions settings);
  tl::expected<void, StartFailure> open_gateway();
  tl::expected<void, StartFailure> check_inherited() const;
  tl::expected<void, StartFailure> open_listener();
  tl::expected<void, StartFailure> reconcile();
  void watch_signals();
  tl::expected<Config, std::string> read_config_again() const;
  void reload();
  void tell_ready();
  void tell_stopping();
  void feed_watchdog();
  void finish(bool complete);
  void close_all(bool complete);
  Json system_info() const;
  std::string url() const;

  using Clock = std::chrono::steady_clock;
  const Config config_;
  const StartOptions options_;
  std::optional<InheritedListener> inherited_;
  const Clock::time_point began_ = Clock::now();
  const std::chrono::system_clock::time_point began_wall_ = std::chrono::system_clock::now();
  std::string started_at_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_;
  boost::asio::steady_timer watchdog_;
  std::unique_ptr<Store> store_;
  EngineSet engines_;
  std::unique_ptr<ServiceRuntime> runtime_;
  std::optional<IdempotencyGuard> idempotency_;
  UnitRegistry registry_;
  std::unique_ptr<PipelineRunner> pipelines_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Drain> drain_;
  std::thread closer_;
  std::string early_signal_;  // came before serving
  bool serving_ = false;
  bool closed_ = false;
  int exit_status_ = 0;
};

}  // namespace aima
