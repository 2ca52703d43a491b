// Rows that follow what happens to instances: by what the providers tell, and by a look from time to
// time for what nobody told.
#include <algorithm>

#include "daemon/log/log.h"
#include "daemon/provider/rows.h"
#include "daemon/provider/runtime_impl.h"

namespace aima::provider {

Lookout& Runtime::lookout_for(const Json& row) {
  return text_of(row, "provider") == "native" ? processes_ : containers_;
}

void Runtime::watch() {
  if (is_watching_.exchange(true)) return;
  watch(Side::processes, processes_, *native_);
  // With native services only, the container engine is nobody's business here.
  if (docker_ && (default_ == docker_.get() || has_container_services())) {
    watch(Side::containers, containers_, *docker_);
  }
}

void Runtime::watch(Side side, Lookout& lookout, Provider& provider) {
  const std::stop_token stop = operations_.draining();
  operations_.run([=, this, &lookout] { look_out(side, lookout, stop); });
  operations_.run([=, this, &lookout, &provider] { follow(provider, lookout, stop); });
}

bool Runtime::has_container_services() {
  const auto all = store_.list(Domain::service, {.equals = {}, .limit = 1});
  const auto native = store_.list(Domain::service, {{{"provider", "native"}}, 1, 0});
  return !all || !native || all->total != native->total;
}

// One look after the other. What is told gets its look at once; a provider that was away sends no
// word when it is back, and a word may be lost: so unverified rows are looked at unasked, and every
// second time running ones too.
void Runtime::look_out(Side side, Lookout& lookout, const std::stop_token& stop) {
  const auto look_at = [&](Rows which, std::set<std::string> services) {
    Look look{which, side, std::move(services), Clock::now() + options_.times.look, {}};
    if (auto looked = reconcile_rows(std::move(look)); !looked && !stop.stop_requested()) {
      log_warn("provider", "services could not be looked at: " + looked.error().message);
    }
  };
  auto next = Clock::now() + options_.times.look_every;
  for (bool also_running = false;;) {
    Lookout::Wanted wanted = lookout.wait(next, stop);
    if (stop.stop_requested()) return;
    const bool is_due = Clock::now() >= next;
    if (!wanted.services.empty()) look_at(Rows::named, std::move(wanted.services));
    if (wanted.all || (is_due && also_running)) {
      look_at(Rows::running_or_unverified, {});
    } else if (is_due) {
      look_at(Rows::unverified, {});
    }
    if (!is_due) continue;
    next = Clock::now() + options_.times.look_every;
    also_running = !also_running;
  }
}

void Runtime::follow(Provider& provider, Lookout& lookout, const std::stop_token& stop) {
  bool is_in_touch = true;  // until it is told otherwise: the first word is not worth a line
  Watcher watcher;
  watcher.changed = [&](const std::string& service_id) { lookout.want(service_id); };
  watcher.look_at_all = [&] {
    if (!is_in_touch) log_info("provider", "events come again: " + provider.description());
    is_in_touch = true;
    lookout.want_all();
  };
  watcher.out_of_touch = [&](const Error& error) {
    if (is_in_touch) {
      log_warn("provider", "no events for now, services are looked at every few seconds: " +
                               error.message);
    }
    is_in_touch = false;
    lookout.want_all();
  };
  provider.watch(watcher, stop);
}
}  // namespace aima::provider
