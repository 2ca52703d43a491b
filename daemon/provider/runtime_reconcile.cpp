// Reconciliation: at start for all services, later for those whose provider was away.
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
  std::string status_then;
  Judgement judgement;
  std::optional<Instance> instance;
  std::string away;  // why the provider could not tell; empty: it could
};

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

Result<Json> Runtime::reconcile() { return reconcile_rows(false); }

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

Result<Json> Runtime::reconcile_rows(bool only_unverified) {
  const auto begun = Clock::now();
  auto rows = store_.list(Domain::service, {});
  if (!rows) return tl::unexpected(rows.error());
  std::map<std::string, Result<Instances>> known;
  std::vector<Finding> findings;
  Tally tally;
  for (const Json& row : rows->items) {
    const std::string id = text_of(row, "id");
    if (text_of(row, "status") == "creating") continue;
    if (only_unverified && (!row.value("unverified", false) || operations_.is_held(id))) continue;
    auto instances = instances_for(row, known, begun + 2s);
    Finding finding{id, text_of(row, "status"), {}, std::nullopt, ""};
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
    write_into(finding, changed);
    const bool resumes = finding.judgement.kind == Judgement::Kind::still_starting;
    if (changed != row || resumes) findings.push_back(std::move(finding));
  }
  docker_was_silent_ = false;
  if (!findings.empty()) {
    auto written = store_.write_and_wait([&](Transaction& transaction) -> Result<Json> {
      for (const Finding& finding : findings) {
        auto row = transaction.get(Domain::service, finding.id);
        if (!row) return tl::unexpected(row.error());
        // Somebody was faster: what he wrote is newer than what we saw.
        if (!*row || text_of(**row, "status") != finding.status_then) continue;
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
  if (tally.unverified > 0 && !only_unverified) keep_asking();
  const auto took = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  return Json{{"adopted", tally.adopted},
              {"stopped", tally.stopped},
              {"failed", tally.failed},
              {"unverified", tally.unverified},
              {"ms", took}};
}

// A provider that was away sends no event when it is back: it is asked once a second.
void Runtime::keep_asking() {
  if (is_asking_.exchange(true)) return;
  const bool running = operations_.run([this] {
    const std::stop_token stop = operations_.draining();
    while (pause_for(1s, stop)) {
      auto again = reconcile_rows(true);
      if (again && (*again)["unverified"] == 0) break;
    }
    is_asking_ = false;
  });
  if (!running) is_asking_ = false;
}
}  // namespace aima::provider
