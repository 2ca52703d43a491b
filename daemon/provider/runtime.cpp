// The service runtime: choosing a provider, stop, status, logs, removal, and what they share.
#include "daemon/provider/runtime.h"

#include <fmt/format.h>

#include "daemon/base/time.h"
#include "daemon/log/log.h"
#include "daemon/provider/docker.h"
#include "daemon/provider/native.h"
#include "daemon/provider/rows.h"
#include "daemon/provider/runtime_impl.h"

namespace aima {

Result<std::unique_ptr<ServiceRuntime>> ServiceRuntime::make(RuntimeOptions options, Store& store,
                                                             const EngineSet& engines) {
  auto runtime = std::make_unique<provider::Runtime>(std::move(options), store, engines);
  if (auto chosen = runtime->choose_provider(); !chosen) return tl::unexpected(chosen.error());
  return runtime;
}

namespace provider {
using namespace std::chrono_literals;

Runtime::Runtime(RuntimeOptions options, Store& store, const EngineSet& engines)
    : options_(std::move(options)),
      store_(store),
      engines_(engines),
      native_(make_native_provider(options_.data_dir, options_.labels)),
      ports_(options_.engine_ports.first, options_.engine_ports.second) {}

Result<void> Runtime::choose_provider() {
  auto endpoint = http::Endpoint::parse(options_.docker_host);
  if (endpoint) {
    docker_ = make_docker_provider(*endpoint, options_.docker_host, options_.labels,
                                   options_.times);
  } else if (options_.provider == ProviderChoice::docker) {
    return fail(503, "unreachable", "DOCKER_HOST: " + endpoint.error().message);
  }
  default_ = native_.get();
  if (options_.provider == ProviderChoice::native || !docker_) return {};
  const auto answered = docker_->ping({options_.times.look_ping, {}});
  if (answered) {
    default_ = docker_.get();
    return {};
  }
  docker_was_silent_ = answered.error().code == "timeout";
  if (options_.provider == ProviderChoice::docker) {
    // Nobody there is a wrong set-up. Somebody who is silent may come back: services of his are
    // kept and read `unverified` until then.
    if (!docker_was_silent_) {
      return fail(503, "unreachable",
                  answered.error().message +
                      "; start it, point DOCKER_HOST at it, or use "
                      "--provider native");
    }
    default_ = docker_.get();
  }
  log_warn("provider", answered.error().message);
  return {};
}

void Runtime::in_background(Call call, Done done, Work work) {
  auto shared = std::make_shared<Done>(std::move(done));
  const bool accepted = operations_.run(
      [this, call = std::move(call), shared, work] {
        (*shared)((this->*work)(call, shared->key()));
      });
  if (!accepted) {
    (*shared)(fail(503, "draining", "the daemon is stopping, or has too many operations under way"));
  }
}

void Runtime::stop(Call call, Done done) {
  in_background(std::move(call), std::move(done), &Runtime::stop_now);
}
void Runtime::status(Call call, Done done) {
  in_background(std::move(call), std::move(done), &Runtime::status_now);
}
void Runtime::logs(Call call, Done done) {
  in_background(std::move(call), std::move(done), &Runtime::logs_now);
}
void Runtime::remove(Call call, Done done) {
  in_background(std::move(call), std::move(done), &Runtime::remove_now);
}

Result<Json> Runtime::row_of(const std::string& service_id) {
  auto row = store_.get(Domain::service, service_id);
  if (!row) return tl::unexpected(row.error());
  if (!*row) {
    return fail(404, "not_found",
                fmt::format("there is no service \"{}\"; aima service list shows all", service_id),
                {{"id", service_id}});
  }
  return **row;
}

Result<Json> Runtime::change_row(const std::string& service_id, std::function<void(Json&)> change,
                                 AnswerKeyPtr key) {
  const auto job = [&](Transaction& transaction) -> Result<Json> {
    auto row = transaction.get(Domain::service, service_id);
    if (!row) return tl::unexpected(row.error());
    if (!*row) return fail(404, "not_found", fmt::format("service \"{}\" is gone", service_id));
    change(**row);
    (**row)["updated_at"] = now_rfc3339();
    if (auto done = transaction.update(Domain::service, **row); !done) {
      return tl::unexpected(done.error());
    }
    return **row;
  };
  return store_.write_and_wait(job, std::move(key));
}

Result<Provider*> Runtime::provider_of(const Json& row, std::chrono::milliseconds deadline) {
  const std::string name = text_of(row, "provider");
  if (name.empty()) return default_;
  if (name == "native") return native_.get();
  if (!docker_) {
    return fail(503, "unreachable",
                fmt::format("service {} runs on {}, and DOCKER_HOST \"{}\" is no address",
                            text_of(row, "id"), name, options_.docker_host));
  }
  if (auto answered = docker_->ping({deadline, operations_.draining()}); !answered) {
    return tl::unexpected(answered.error());
  }
  // Docker does not know Podman's containers: taking one for the other would start a service twice.
  if (name != docker_->name() && text_of(row, "status") != "creating") {
    return fail(503, "unreachable",
                fmt::format("service {} runs on {}, and DOCKER_HOST \"{}\" is {}",
                            text_of(row, "id"), name, options_.docker_host, docker_->name()));
  }
  return docker_.get();
}

Result<std::optional<Instance>> Runtime::instance_of(Provider& provider,
                                                     const std::string& service_id,
                                                     const Patience& patience) {
  auto found = provider.find(service_id, patience);
  if (!found) return tl::unexpected(found.error());
  std::optional<Instance> best;
  for (Instance& instance : *found) {
    if (!best || (instance.is_live() && !best->is_live())) best = std::move(instance);
  }
  return best;
}

// Ends and removes whatever carries the service's label. Meanwhile its row reads `stopping`, so
// that no chat is sent to it; if that fails the row says again what it said.
Result<std::size_t> Runtime::end_instances(const Json& row) {
  const std::string id = text_of(row, "id");
  auto provider = provider_of(row);
  if (!provider) return tl::unexpected(provider.error());
  auto found = (*provider)->find(id, patience());
  if (!found) return tl::unexpected(found.error());
  if (found->empty()) return 0;
  auto marked = change_row(id, [](Json& changed) { changed["status"] = "stopping"; });
  if (!marked) return tl::unexpected(marked.error());
  for (const Instance& instance : *found) {
    auto gone = (*provider)->remove(instance, options_.times.grace, patience());
    if (gone) continue;
    // A drain only ends the wait: what was asked to end ends, and the next daemon finds it so.
    if (!operations_.draining().stop_requested()) {
      auto restored = change_row(id, [&](Json& changed) { changed["status"] = row["status"]; });
      if (!restored) log_error("provider", restored.error().message);
    }
    return tl::unexpected(gone.error());
  }
  return found->size();
}

Result<Json> Runtime::stop_now(const Call& call, const AnswerKeyPtr& key) {
  const std::string id = call.input.at("id");
  if (auto known = row_of(id); !known) return known;
  auto hold = operations_.hold_after_cancelling(id, "stop", 60s);
  if (!hold) return tl::unexpected(hold.error());
  auto row = row_of(id);
  if (!row) return row;
  const auto ended = end_instances(*row);
  if (!ended) return tl::unexpected(ended.error());
  log_info("provider",
           fmt::format("service {} stopped ({} instance{})", id, *ended, *ended == 1 ? "" : "s"));
  const auto stopped = [&](Json& changed) {
    changed["status"] = "stopped";
    changed["instance_id"] = nullptr;
    changed["endpoint"] = nullptr;
    changed["adopted"] = false;
    changed["unverified"] = false;
    changed["reason"] = *ended == 0 ? "stopped; nothing was running" : "stopped on request";
  };
  return change_row(id, stopped, key);
}

Result<Json> Runtime::remove_now(const Call& call, const AnswerKeyPtr& key) {
  const std::string id = call.input.at("id");
  if (auto known = row_of(id); !known) return known;
  auto hold = operations_.hold_after_cancelling(id, "delete", 60s);
  if (!hold) return tl::unexpected(hold.error());
  auto row = row_of(id);
  if (!row) return row;
  // What was never started has nothing to remove, so an absent provider is no hindrance.
  if (text_of(*row, "status") != "creating") {
    if (auto ended = end_instances(*row); !ended) return tl::unexpected(ended.error());
  }
  const auto erase = [&](Transaction& transaction) -> Result<Json> {
    if (auto erased = transaction.erase(Domain::service, id); !erased) {
      return tl::unexpected(erased.error());
    }
    return Json{{"id", id}, {"deleted", true}};
  };
  auto deleted = store_.write_and_wait(erase, key);
  // Nobody can ask for it any more. A stopped service keeps its log: it says why.
  if (deleted) native_->forget(id);
  return deleted;
}

Result<int> Runtime::port_for_model(const std::string& model) {
  std::string model_id = model;
  auto named = store_.find_by_name(Domain::model, model);
  if (!named) return tl::unexpected(named.error());
  if (*named) {
    model_id = text_of(**named, "id");
  } else {
    auto by_id = store_.get(Domain::model, model);
    if (!by_id) return tl::unexpected(by_id.error());
    if (!*by_id) {
      return fail(404, "not_found",
                  fmt::format("there is no model \"{}\"; aima model list shows all", model),
                  {{"model", model}});
    }
  }
  auto services = store_.list(Domain::service, {{{"model_id", model_id}}, every_row, 0});
  if (!services) return tl::unexpected(services.error());
  std::vector<int> ports;
  for (const Json& row : services->items) {
    if (text_of(row, "status") == "running" && row.value("port", Json()).is_number_integer()) {
      ports.push_back(row["port"].get<int>());
    }
  }
  if (!ports.empty()) return ports[next_replica_++ % ports.size()];
  const std::string what =
      services->items.empty()
          ? fmt::format("create one: aima service create --model-id {}", model_id)
          : fmt::format("start one: aima service start {}", text_of(services->items.back(), "id"));
  return fail(409, "no_running_service",
              fmt::format("model \"{}\" has no running service; {}", model, what));
}

void Runtime::shut_down() { operations_.shut_down(); }
}  // namespace provider
}  // namespace aima
