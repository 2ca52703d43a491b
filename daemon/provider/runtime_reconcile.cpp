// Reconciliation: at start for all services, later for those that run or whose provider was away.
#include <fmt/format.h>

#include "daemon/base/time.h"
#include "daemon/log/log.h"
#include "daemon/provider/pause.h"
#include "daemon/provider/rows.h"
#include "daemon/provider/runtime_impl.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using std::chrono::milliseconds;

// Only these say that something should be there; the others have nothing to verify.
bool expects_an_instance(const Json& row) {
  const std::string status = text_of(row, "status");
  return status == "running" || status == "starting" || status == "stopping";
}

struct Finding {
  std::string id;
  Json seen;  // the row that the look was compared with
  Judgement judgement;
  std::optional<Instance> instance;
  std::string away;  // why the provider could not tell; empty: it could
};

// At run time a row is written only when its meaning changes: an engine that is away for an hour
// is one write and one line of log.
bool is_news(const Finding& finding) {
  if (!finding.away.empty()) return !finding.seen.value("unverified", false);
  if (finding.judgement.kind != Judgement::Kind::adopted) return true;
  return finding.seen.value("unverified", false) || text_of(finding.seen, "status") != "running" ||
         text_of(finding.seen, "reason") != finding.judgement.reason;
}

void write_into(const Finding& finding, Json& row) {
  if (!finding.away.empty()) {
    row["unverified"] = true;
    row["reason"] = "status as last known: " + finding.away;
    return;
  }
  apply(finding.judgement, finding.instance, row);
  if (finding.judgement.kind == Judgement::Kind::adopted) row["adopted"] = true;
}
}  // namespace

struct Runtime::Tally {
  int adopted = 0, stopped = 0, failed = 0, unverified = 0;
  void count(const Finding& finding) {
    using Kind = Judgement::Kind;
    if (!finding.away.empty()) ++unverified;
    else if (finding.judgement.kind == Kind::adopted) ++adopted;
    else if (finding.judgement.kind == Kind::still_starting) ++adopted;
    else if (finding.judgement.kind == Kind::stopped) ++stopped;
    else if (finding.judgement.kind == Kind::failed) ++failed;
  }
};

Result<Json> Runtime::reconcile() {
  auto report = reconcile_rows(Rows::all, 2s);
  if (report) watch();
  return report;
}

Result<Runtime::Instances> Runtime::instances_for(
    const Json& row, std::map<std::string, Result<Instances>>& known, Clock::time_point deadline) {
  const std::string name = text_of(row, "provider");
  if (const auto found = known.find(name); found != known.end()) return found->second;
  const auto left = [&] {
    return std::max(1ms, std::chrono::duration_cast<milliseconds>(deadline - Clock::now()));
  };
  const auto ask = [&]() -> Result<Instances> {
    if (docker_was_silent_ && name != "native") {
      return fail(503, "unreachable",
                  fmt::format("the container engine at {} is silent", options_.docker_host));
    }
    auto provider = provider_of(row, left());
    if (!provider) return tl::unexpected(provider.error());
    auto found = (*provider)->find("", {left(), operations_.draining()});
    if (!found) return tl::unexpected(found.error());
    Instances by_service;
    for (Instance& instance : *found) {
      Instance& kept = by_service[instance.service_id];
      if (kept.id.empty() || (instance.is_live() && !kept.is_live())) kept = std::move(instance);
    }
    return by_service;
  };
  return known.emplace(name, ask()).first->second;
}

Result<Json> Runtime::reconcile_rows(Rows which, milliseconds limit) {
  const auto begun = Clock::now();
  auto rows = store_.list(Domain::service, {});
  if (!rows) return tl::unexpected(rows.error());
  std::map<std::string, Result<Instances>> known;
  std::vector<Finding> findings;
  Tally tally;
  for (const Json& row : rows->items) {
    const std::string id = text_of(row, "id");
    const std::string status = text_of(row, "status");
    if (status == "creating") continue;
    if (which != Rows::all) {
      const bool asked = row.value("unverified", false) ||
                         (which == Rows::running_or_unverified && status == "running");
      if (!asked || operations_.is_held(id)) continue;
    }
    auto instances = instances_for(row, known, begun + limit);
    Finding finding{id, row, {}, std::nullopt, ""};
    if (!instances) {
      if (!expects_an_instance(row)) continue;
      finding.away = instances.error().message;
    } else {
      const auto found = instances->find(id);
      if (found != instances->end()) finding.instance = found->second;
      finding.judgement = judge(row, finding.instance);
    }
    tally.count(finding);
    Json changed = row;
    if (which == Rows::all || is_news(finding)) write_into(finding, changed);
    const bool resumes = finding.judgement.kind == Judgement::Kind::still_starting;
    if (changed != row || resumes) findings.push_back(std::move(finding));
  }
  docker_was_silent_ = false;
  // What the drain cut was not looked at, which says nothing about the provider.
  if (operations_.draining().stop_requested()) findings.clear();
  if (!findings.empty()) {
    auto written = store_.write_and_wait([&](Transaction& transaction) -> Result<Json> {
      for (const Finding& finding : findings) {
        auto row = transaction.get(Domain::service, finding.id);
        if (!row) return tl::unexpected(row.error());
        // Somebody was faster: what he wrote is newer than what we saw.
        if (!*row || !is_as_seen(**row, finding.seen) || operations_.is_held(finding.id)) continue;
        write_into(finding, **row);
        (**row)["updated_at"] = now_rfc3339();
        if (auto done = transaction.update(Domain::service, **row); !done) {
          return tl::unexpected(done.error());
        }
      }
      return Json::object();
    });
    if (!written) return written;
  }
  for (const Finding& finding : findings) {
    const Judgement& judgement = finding.judgement;
    if (judgement.kind == Judgement::Kind::still_starting) {
      resume({{"id", finding.id}}, *finding.instance);
    } else if (finding.instance && finding.instance->state == InstanceState::created) {
      // Made for a start that never came to its end, and of no use to anybody.
      operations_.run([this, finding] {
        auto hold = operations_.hold(finding.id, "clean up");
        if (!hold || !docker_) return;
        if (auto gone = docker_->remove(*finding.instance, 0s, patience()); !gone) {
          log_warn("provider", gone.error().message);
        }
      });
    }
    const std::string& why = finding.away.empty() ? judgement.reason : finding.away;
    if (!why.empty()) log_warn("provider", fmt::format("service {}: {}", finding.id, why));
  }
  const auto took = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  return Json{{"adopted", tally.adopted},
              {"stopped", tally.stopped},
              {"failed", tally.failed},
              {"unverified", tally.unverified},
              {"ms", took}};
}

// Engines die without telling us, and a provider that was away sends no event when it is back. Two
// seconds are how long a list may show what has ended; asking for one container list costs little.
void Runtime::watch() {
  if (is_watching_.exchange(true)) return;
  const bool running = operations_.run([this] {
    const std::stop_token stop = operations_.draining();
    for (bool also_running = false; pause_for(1s, stop); also_running = !also_running) {
      const auto which = also_running ? Rows::running_or_unverified : Rows::unverified;
      if (auto looked = reconcile_rows(which, 10s); !looked && !stop.stop_requested()) {
        log_warn("provider", "services could not be looked at: " + looked.error().message);
      }
    }
    is_watching_ = false;
  });
  if (!running) is_watching_ = false;
}
}  // namespace aima::provider
