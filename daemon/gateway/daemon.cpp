// Start-up in its order, signals, and the closing after the drain.
#include "daemon/gateway/daemon.h"

#include <unistd.h>

#include <boost/asio/post.hpp>

#include <csignal>
#include <cstdlib>
#include <system_error>

#include <fmt/format.h>

#include "daemon/base/time.h"
#include "daemon/gateway/daemon_metrics.h"
#include "daemon/gateway/relay.h"
#include "daemon/gateway/start_patience.h"
#include "daemon/gateway/start_settings.h"
#include "daemon/log/log.h"
#include "daemon/units/units.h"
#include "version.h"

namespace aima {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

std::string signal_name(int number) {
  if (number == SIGTERM) return "SIGTERM";
  if (number == SIGINT) return "SIGINT";
  return "signal " + std::to_string(number);
}

}  // namespace

Daemon::Daemon(Config config, StartOptions options, std::optional<InheritedListener> inherited)
    : config_(std::move(config)),
      options_(std::move(options)),
      inherited_(std::move(inherited)),
      started_at_(now_rfc3339()),
      signals_(io_, SIGTERM, SIGINT, SIGHUP),
      watchdog_(io_) {
  watch_signals();
}

Daemon::~Daemon() {
  if (closer_.joinable()) closer_.join();
  close_all(false);
}

tl::expected<void, StartFailure> Daemon::open() {
  auto settings = runtime_options(config_);
  if (!settings) return tl::unexpected(StartFailure{78, settings.error().message});
  if (auto done = check_inherited(); !done) return done;
  StartPatience patience;
  patience.at("starting: opening the store, which may have to be upgraded");
  if (auto done = open_store(); !done) return done;
  patience.at("starting: looking for the container engine");
  if (auto done = open_provider(std::move(*settings)); !done) return done;
  if (auto done = open_gateway(); !done) return done;
  patience.at("starting: comparing the services with what runs");
  return reconcile();
}

tl::expected<void, StartFailure> Daemon::open_store() {
  const auto begin = Clock::now();
  StoreOptions options;
  options.data_dir = config_.data_dir;
  options.kinds = store_kinds(config_.stores);
  auto store = Store::open(options);
  if (!store) return tl::unexpected(StartFailure{74, "the store: " + store.error().message});
  store_ = std::move(*store);
  const StoreFacts facts = store_->facts();
  log_info("start", fmt::format("store {} open after {:.1f} ms: schema {}, WAL of {} bytes, first "
                                "read {:.1f} ms",
                                config_.data_dir.string(), ms_since(begin), facts.schema_version,
                                facts.wal_bytes_at_open, facts.replay_ms));
  if (auto seeded = seed_builtin_skills(*store_); !seeded) {
    return tl::unexpected(
        StartFailure{74, "the built-in skills could not be loaded: " + seeded.error().message});
  }
  return {};
}

tl::expected<void, StartFailure> Daemon::open_provider(RuntimeOptions settings) {
  auto engines = EngineSet::load();
  if (!engines) return tl::unexpected(StartFailure{78, "engines: " + engines.error().message});
  engines_ = std::move(*engines);
  auto runtime = ServiceRuntime::make(std::move(settings), *store_, engines_);
  if (!runtime) return tl::unexpected(StartFailure{69, "the provider: " + runtime.error().message});
  runtime_ = std::move(*runtime);
  log_info("start",
           "provider " + runtime_->provider_name() + ": " + runtime_->provider_description());
  return {};
}

tl::expected<void, StartFailure> Daemon::open_gateway() {
  pipelines_ = std::make_unique<PipelineRunner>(*store_, registry_);
  const auto interrupted = pipelines_->mark_interrupted();
  if (!interrupted) {
    return tl::unexpected(StartFailure{
        74, "the runs of the last daemon could not be marked: " + interrupted.error().message});
  }
  if (*interrupted > 0) {
    log_warn("start", fmt::format("{} pipeline runs were cut by the end of the last daemon: marked "
                                  "interrupted",
                                  *interrupted));
  }
  add_all_units(
      {*store_, engines_, *runtime_, registry_, *pipelines_, [this] { return system_info(); }});
  RelayOptions relay;
  relay.silence_timeout = config_.inference_timeout;
  relay.port_for_model = [this](const std::string& model) {
    return runtime_->port_for_model(model);
  };
  add_inference_units(registry_, io_, std::move(relay));
  idempotency_.emplace(*store_);
  registry_.guard_commands([this](const Unit& unit, Call call, Done done) {
    idempotency_->run(unit, std::move(call), std::move(done));
  });
  const Limits limits = limits_of(config_.limits);
  RouteContext routes{.units = registry_, .io = io_};
  routes.not_ready = [this]() -> std::optional<Error> {
    if (drain_->begun()) return Error{503, "draining", "aima is shutting down", nullptr};
    return store_->trouble();
  };
  routes.metrics = [this](MetricsText& text) {
    write_process_metrics(text, began_wall_);
    server_->write_metrics(text);
    write_store_metrics(text, *store_);
    write_service_metrics(text, *store_);
    text.single("aima_pipeline_runs_active", "gauge", "Pipeline runs under way.",
                static_cast<std::uint64_t>(pipelines_->active()));
  };
  Router router(routes);
  server_ = std::make_unique<Server>(io_, limits, std::move(router),
                                     gate_options(config_.security));
  Drain::Hooks hooks;
  hooks.stop_pipelines = [this](std::function<void()> idle) {
    pipelines_->begin_drain(std::move(idle));
  };
  hooks.active_pipelines = [this] { return pipelines_->active(); };
  hooks.finished = [this](bool complete) { finish(complete); };
  drain_ = std::make_unique<Drain>(io_, *server_, config_.shutdown_timeout, limits,
                                   std::move(hooks), config_.drain_delay);
  if (auto done = open_listener(); !done) return done;
  for (const auto& warning : security_warnings(config_.security, server_->host())) {
    log_warn("start", warning);
  }
  return {};
}

tl::expected<void, StartFailure> Daemon::reconcile() {
  const auto report = runtime_->reconcile();
  if (!report) {
    return tl::unexpected(
        StartFailure{74, "services could not be reconciled: " + report.error().message});
  }
  log_info("start", "services reconciled: " + report->dump());
  return {};
}

std::string Daemon::url() const {
  const std::string& host = server_->host();
  const bool v6 = host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(server_->port());
}

int Daemon::serve() {
  io_.poll();  // a signal that came meanwhile
  if (!early_signal_.empty()) {
    log_info("start", early_signal_ + " came before the daemon was ready: closing");
    close_all(true);
    return 0;
  }
  serving_ = true;
  server_->start();
  log_info("start", fmt::format("ready after {:.1f} ms", ms_since(began_)));
  log_notice("gateway", "listening on " + url());
  tell_ready();
  io_.restart();
  io_.run();
  if (closer_.joinable()) closer_.join();
  return exit_status_;
}

void Daemon::watch_signals() {
  signals_.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    if (number == SIGHUP) {
      reload();
    } else if (!serving_) {
      early_signal_ = signal_name(number);
    } else {
      if (!drain_->begun()) tell_stopping();
      drain_->signalled(signal_name(number));
    }
    watch_signals();
  });
}

// Serving is over. Closing waits for threads of others, which may still post here: it runs beside
// the I/O thread, which goes on until all is closed.
void Daemon::finish(bool complete) {
  exit_status_ = complete ? 0 : 75;
  const auto close = [this, complete] {
    close_all(complete);
    boost::asio::post(io_, [this] { io_.stop(); });
  };
  try {
    closer_ = std::thread(close);
  } catch (const std::system_error&) {  // no thread is to be had; closing is what matters
    close();
  }
}

void Daemon::close_all(bool complete) {
  if (closed_) return;
  closed_ = true;
  const auto begin = Clock::now();
  if (pipelines_) pipelines_->shut_down(std::chrono::milliseconds(complete ? 2000 : 500));
  const double pipelines_ms = ms_since(begin);
  if (runtime_) runtime_->shut_down();
  const double runtime_ms = ms_since(begin);
  if (store_) store_->close();
  if (!serving_) return;
  log_info("drain",
           fmt::format("closed: pipelines {:.1f} ms, provider {:.1f} ms, store {:.1f} ms",
                       pipelines_ms, runtime_ms - pipelines_ms, ms_since(begin) - runtime_ms));
}

Json Daemon::system_info() const {
  Json stores = Json::object();
  for (const Domain domain : {Domain::model, Domain::service, Domain::catalog, Domain::skill,
                              Domain::pipeline, Domain::alert}) {
    stores[name_of(domain)] = store_->kind(domain) == StoreKind::sqlite ? "sqlite" : "memory";
  }
  const StoreFacts facts = store_->facts();
  return Json{
      {"version", version},
      {"pid", getpid()},
      {"started_at", started_at_},
      {"addr", url().substr(7)},
      {"data_dir", config_.data_dir.string()},
      {"config_file", config_.file.empty() ? Json(nullptr) : Json(config_.file.string())},
      {"provider", runtime_->provider_name()},
      {"provider_description", runtime_->provider_description()},
      {"stores", stores},
      {"engine_ports",
       fmt::format("{}-{}", config_.engine_ports.first, config_.engine_ports.second)},
      {"shutdown_timeout_s", std::chrono::duration<double>(config_.shutdown_timeout).count()},
      {"drain_delay_s", std::chrono::duration<double>(config_.drain_delay).count()},
      {"socket", server_->inherited() ? "inherited" : "own"},
      {"store",
       {{"wal_bytes_at_open", facts.wal_bytes_at_open},
        {"replay_ms", facts.replay_ms},
        {"commits", facts.commits},
        {"checkpoints", facts.checkpoints},
        {"log_bytes", facts.log_bytes},
        {"schema_version", facts.schema_version},
        {"usable", store_->usable()}}},
      {"requests_in_flight", server_->requests()},
      {"connections", server_->connections()},
      {"api_key_needed", server_->needs_api_key()},
      {"draining", drain_->begun()}};
}

}  // namespace aima
