// Starting a service: row, port, instance, health; and the way back when any of it fails.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/base/time.h"
#include "daemon/http/client.h"
#include "daemon/log/log.h"
#include "daemon/provider/pause.h"
#include "daemon/provider/rows.h"
#include "daemon/provider/runtime_impl.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using std::chrono::milliseconds;

std::string last_lines(const std::string& text, std::size_t most) {
  std::size_t end = text.size();
  while (end > 0 && text[end - 1] == '\n') --end;
  std::size_t begin = end;
  for (std::size_t lines = 0; begin > 0; --begin) {
    if (text[begin - 1] == '\n' && ++lines == most) break;
  }
  return text.substr(begin, end - begin);
}

milliseconds until(Clock::time_point deadline) {
  return std::max(milliseconds(1),
                  std::chrono::duration_cast<milliseconds>(deadline - Clock::now()));
}
}  // namespace

struct Runtime::Starting {
  std::string id;
  Operations::Hold hold;
  milliseconds timeout;
  Clock::time_point deadline;
  Json row = nullptr;
  Launch launch{};
  Provider* provider = nullptr;
  std::optional<PortAllocator::Lease> lease{};
  std::optional<Instance> instance{};
  bool was_there = false;  // the instance ran before this start: taken over
  AnswerKeyPtr key{};      // where the last write's result is the answer
};

void Runtime::start(Call call, Done done) {
  auto shared = std::make_shared<Done>(std::move(done));
  const bool accepted = operations_.run([this, call = std::move(call), shared]() mutable {
    start_now(std::move(call), std::move(*shared));
  });
  if (!accepted) {
    (*shared)(fail(503, "draining", "the daemon is stopping, or has too many operations under way"));
  }
}

// Call::stop is not looked at: a client that goes away changes nothing.
void Runtime::start_now(Call call, Done done) {
  const std::string id = call.input.at("id");
  if (auto known = row_of(id); !known) return done(std::move(known));
  auto hold = operations_.hold(id, "start");
  if (!hold) return done(tl::unexpected(hold.error()));
  const milliseconds timeout = std::chrono::seconds(call.input.value("timeout", 300));
  Starting starting{id, std::move(*hold), timeout, Clock::now() + timeout};
  // Whoever hears the answer may act on the service at once: it is free by then.
  const auto answer = [&](Result<Json> result) {
    { Operations::Hold ended = std::move(starting.hold); }
    done(std::move(result));
  };
  if (auto ready = prepare(starting); !ready) return answer(tl::unexpected(ready.error()));
  if (starting.was_there && text_of(starting.row, "status") == "running") {
    Json shown = starting.row;
    shown["message"] = fmt::format("service {} is already running on port {}", id,
                                   number_of(starting.row, "port"));
    return answer(std::move(shown));
  }
  if (!starting.was_there) {
    if (auto taken = take_port(starting); !taken) return answer(give_up(starting, taken.error()));
  }
  const bool wait = !call.input.value("async", false) && call.input.value("wait", true);
  if (wait) starting.key = done.key();
  const auto begun = [&](Json& changed) {
    changed["status"] = "starting";
    changed["provider"] = starting.provider->name();
    changed["port"] = starting.launch.port;
    changed["endpoint"] = nullptr;
    changed["adopted"] = starting.was_there;
    changed["unverified"] = false;
    changed["reason"] = nullptr;
  };
  auto row = change_row(id, begun, wait ? nullptr : done.key());
  if (!row) return answer(std::move(row));
  if (wait) return answer(run_to_health(starting));
  done(std::move(row));
  if (auto result = run_to_health(starting); !result) {
    log_error("provider", result.error().message);
  }
}

// Everything that can be refused before anything changed.
Result<void> Runtime::prepare(Starting& starting) {
  auto row = row_of(starting.id);
  if (!row) return tl::unexpected(row.error());
  starting.row = *row;
  Launch& launch = starting.launch;
  launch.service_id = starting.id;
  launch.model_id = text_of(*row, "model_id");
  launch.engine = engines_.find(text_of(*row, "engine_type"));
  if (launch.engine == nullptr) {
    return fail(409, "unknown_engine",
                fmt::format("service {} wants engine \"{}\", which this daemon does not know",
                            starting.id, text_of(*row, "engine_type")));
  }
  auto model = store_.get(Domain::model, launch.model_id);
  if (!model) return tl::unexpected(model.error());
  if (!*model) {
    return fail(
        409, "model_missing",
        fmt::format("service {} serves model \"{}\", which is gone", starting.id, launch.model_id));
  }
  launch.model_path = text_of(**model, "path");
  launch.model_name = text_of(**model, "repo");
  if (launch.model_name.empty()) launch.model_name = text_of(**model, "name");
  const milliseconds left = until(starting.deadline);
  auto provider = provider_of(*row, std::min(options_.times.ping, left));
  if (!provider) return tl::unexpected(provider.error());
  starting.provider = *provider;
  auto instance = instance_of(**provider, starting.id, {left, operations_.draining()});
  if (!instance) return tl::unexpected(instance.error());
  if (*instance && (*instance)->is_live()) {
    starting.instance = **instance;
    starting.was_there = true;
    launch.port = (*instance)->port;
    return {};
  }
  if (*instance) return (*provider)->remove(**instance, 0s, patience());
  return {};
}

std::set<int> Runtime::ports_of_others(const std::string& service_id) {
  std::set<int> ports;
  if (auto rows = store_.list(Domain::service, {.equals = {}, .limit = every_row})) {
    for (const Json& row : rows->items) {
      if (text_of(row, "id") != service_id) ports.insert(number_of(row, "port"));
    }
  }
  return ports;
}

Result<void> Runtime::take_port(Starting& starting) {
  std::set<int> held = ports_of_others(starting.id);
  for (Provider* provider : {starting.provider, native_.get()}) {
    auto used = provider->ports_in_use({until(starting.deadline), operations_.draining()});
    if (!used) return tl::unexpected(used.error());
    held.merge(*used);
  }
  const int wanted = number_of(starting.row, "requested_port");
  auto lease = ports_.take(held, wanted, number_of(starting.row, "port"));
  if (!lease) return tl::unexpected(lease.error());
  starting.launch.port = lease->port();
  starting.lease.emplace(std::move(*lease));
  return {};
}

Result<Json> Runtime::run_to_health(Starting& starting) {
  const auto begun = Clock::now();
  if (!starting.instance) {
    auto launched = starting.provider->launch(starting.launch,
                                              {until(starting.deadline), operations_.draining()});
    if (!launched) return give_up(starting, launched.error());
    starting.instance = *launched;
  }
  if (auto healthy = wait_healthy(starting); !healthy) {
    return give_up(starting, with_last_words(starting, healthy.error()));
  }
  const auto running = [&](Json& changed) {
    changed["status"] = "running";
    changed["provider"] = starting.provider->name();
    changed["port"] = starting.launch.port;
    changed["endpoint"] = fmt::format("http://127.0.0.1:{}", starting.launch.port);
    changed["instance_id"] = starting.instance->id;
    changed["adopted"] = starting.was_there;
    changed["unverified"] = false;
    changed["reason"] = nullptr;
  };
  auto row = change_row(starting.id, running, starting.key);
  if (!row) return give_up(starting, row.error());
  log_info("provider",
           fmt::format("service {} is running on port {} ({}, {} ms)", starting.id,
                       starting.launch.port, starting.provider->name(),
                       std::chrono::duration_cast<milliseconds>(Clock::now() - begun).count()));
  return row;
}

Result<void> Runtime::wait_healthy(const Starting& starting) {
  const EngineSpec& engine = *starting.launch.engine;
  const std::string url = fmt::format("http://127.0.0.1:{}", starting.launch.port);
  http::Client client(*http::Endpoint::parse(url));
  const std::stop_token& cancelled = starting.hold.cancelled();
  std::string last_answer = "it was never asked", answered;
  for (milliseconds pause = 1ms;; pause = std::min(pause * 3 / 2 + 1ms, milliseconds(100))) {
    const auto patience = std::min<milliseconds>(2s, until(starting.deadline));
    auto answer = client.send({"GET", engine.health_path, {}, ""}, patience, cancelled);
    if (cancelled.stop_requested()) return fail(409, "cancelled", "the start was cancelled");
    // That it said something is not hidden by a later question, which the deadline may have cut.
    if (answer) {
      last_answer = answered = fmt::format("HTTP {}", answer->status);
    } else {
      last_answer = (answered.empty() ? "" : answered + ", then ") + answer.error().message;
    }
    // A healthy answer counts only while our instance lives: the port might be another's.
    auto now = starting.provider->inspect(*starting.instance,
                                          {until(starting.deadline), operations_.draining()});
    if (cancelled.stop_requested()) return fail(409, "cancelled", "the start was cancelled");
    if (!now) return tl::unexpected(now.error());
    if (!now->is_live()) {
      return fail(502, "engine_failed",
                  fmt::format("engine \"{}\" of service {} did not start: {}", engine.name,
                              starting.id, now->detail));
    }
    if (answer && answer->status / 100 == 2) return {};
    if (Clock::now() + pause >= starting.deadline) {
      return fail(
          504, "start_timeout",
          fmt::format("engine \"{}\" of service {} was not healthy within {} s (GET {}{}: {})",
                      engine.name, starting.id,
                      static_cast<double>(starting.timeout.count()) / 1000.0, url,
                      engine.health_path, last_answer));
    }
    if (!pause_for(pause, cancelled)) return fail(409, "cancelled", "the start was cancelled");
  }
}

Error Runtime::with_last_words(const Starting& starting, Error error) {
  if (error.code == "cancelled" || is_provider_away(error)) return error;
  const auto text = starting.provider->logs(*starting.instance, 20, patience());
  if (!text || text->empty()) return error;
  error.message += "; its last words:\n" + last_lines(*text, 5);
  error.details = {{"log", *text}};
  return error;
}

// Nothing of a failed start stays but the row, which says why.
Result<Json> Runtime::give_up(Starting& starting, Error error) {
  if (operations_.draining().stop_requested()) {
    return fail(503, "draining",
                fmt::format("the daemon stops while service {} is starting: its container goes on, "
                            "and the next start of the daemon adopts it or says why not",
                            starting.id));
  }
  if (is_provider_away(error)) {
    auto kept = change_row(starting.id, [&](Json& row) {
      // Before that nothing was made, and there is nothing to come back to.
      if (text_of(row, "status") == "starting") row["unverified"] = true;
      row["reason"] = error.message;
    });
    if (!kept) {
      log_error("provider", "an unfinished start could not be recorded: " + kept.error().message);
    }
    return tl::unexpected(std::move(error));
  }
  bool is_left = false;  // to be looked at when its provider is back
  if (starting.instance) {
    auto removed = starting.provider->remove(*starting.instance, 2s, patience());
    if (!removed) {
      error.message += "; and it could not be removed: " + removed.error().message;
      is_left = is_provider_away(removed.error());
    }
  }
  const bool on_request = error.code == "cancelled";
  if (on_request) {
    error.message =
        fmt::format("the start of service {} was ended by a stop or delete of it", starting.id);
  }
  auto row = change_row(starting.id, [&](Json& changed) {
    changed["status"] = on_request ? "stopped" : "failed";
    changed["instance_id"] = nullptr;
    changed["endpoint"] = nullptr;
    changed["adopted"] = false;
    changed["unverified"] = is_left;
    changed["reason"] = error.message;
  });
  if (!row) log_error("provider", "a failed start could not be recorded: " + row.error().message);
  log_warn("provider", error.message);
  return tl::unexpected(std::move(error));
}

// A start that an earlier daemon did not live to finish: the instance is there, not yet healthy.
void Runtime::resume(const Json& row, const Instance& instance) {
  const std::string id = text_of(row, "id");
  operations_.run([this, id, instance] {
    auto hold = operations_.hold(id, "start");
    if (!hold) return;  // a request was faster, and does the same
    Starting starting{id, std::move(*hold), 300s, Clock::now() + 300s};
    auto ready = prepare(starting);
    if (!ready) return log_warn("provider", ready.error().message);
    starting.timeout = starting.launch.engine->startup_timeout;
    starting.deadline = Clock::now() + starting.timeout;
    if (!starting.was_there) {
      // It ended since it was seen; prepare() has removed what was left.
      give_up(starting, {502, "engine_failed",
                         fmt::format("service {} was starting when the daemon ended, and has ended "
                                     "since ({})",
                                     id, instance.detail),
                         nullptr});
      return;
    }
    if (auto result = run_to_health(starting); !result) {
      log_error("provider", result.error().message);
    }
  });
}
}  // namespace aima::provider
