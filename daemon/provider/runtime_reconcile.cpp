// Reconciliation: at start for all services; later for those that run, whose provider was away, or
// that something happened to.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/base/time.h"
#include "daemon/log/log.h"
#include "daemon/provider/rows.h"
#include "daemon/provider/runtime_impl.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Kind = Judgement::Kind;

// Fewer services than these are asked for one by one: cheaper than everybody's list.
constexpr std::size_t few_services = 4;

// Only these say that something should be there; the others have nothing to verify.
bool expects_an_instance(const Json& row) {
  const std::string status = text_of(row, "status");
  return status == "running" || status == "starting" || status == "stopping";
}

// At run time a row is written only when its meaning changes: an engine that is away for an hour
// is one write and one line of log.
bool is_news(const Finding& finding) {
  if (!finding.away.empty()) return !finding.seen.value("unverified", false);
  if (finding.judgement.kind != Kind::adopted) return true;
  return finding.seen.value("unverified", false) || text_of(finding.seen, "status") != "running" ||
         text_of(finding.seen, "instance_id") != finding.instance->id ||
         text_of(finding.seen, "reason") != finding.judgement.reason;
}

void write_into(const Finding& finding, Json& row) {
  if (!finding.away.empty()) {
    row["unverified"] = true;
    row["reason"] = "status as last known: " + finding.away;
    return;
  }
  apply(finding.judgement, finding.instance, row);
  if (finding.judgement.kind == Kind::adopted && finding.is_found) row["adopted"] = true;
}

// Made for a start that never came to its end, and of no use to anybody.
bool is_unfinished(const Finding& finding) {
  return finding.instance && finding.instance->state == InstanceState::created;
}
}  // namespace

struct Runtime::Tally {
  int adopted = 0, stopped = 0, failed = 0, unverified = 0;
  void count(const Finding& finding) {
    if (!finding.away.empty()) ++unverified;
    else if (finding.judgement.kind == Kind::adopted) ++adopted;
    else if (finding.judgement.kind == Kind::still_starting) ++adopted;
    else if (finding.judgement.kind == Kind::stopped) ++stopped;
    else if (finding.judgement.kind == Kind::failed) ++failed;
  }
};

Result<Json> Runtime::reconcile() {
  Look look;
  look.deadline = Clock::now() + options_.times.look_ping;
  auto report = reconcile_rows(std::move(look));
  if (report) watch();
  return report;
}

Result<std::vector<Json>> Runtime::rows_of(const Look& look) {
  if (look.which != Rows::named) {
    auto page = store_.list(Domain::service, {.equals = {}, .limit = every_row});
    if (!page) return tl::unexpected(page.error());
    return std::move(page->items);
  }
  std::vector<Json> rows;
  for (const std::string& id : look.services) {
    auto row = store_.get(Domain::service, id);
    if (!row) return tl::unexpected(row.error());
    if (*row) rows.push_back(std::move(**row));
  }
  return rows;
}

bool Runtime::is_asked(const Look& look, const Json& row) {
  const std::string status = text_of(row, "status");
  if (status == "creating") return false;
  if (look.which == Rows::all) return true;
  const bool is_process = text_of(row, "provider") == "native";
  if (look.side != Side::both && is_process != (look.side == Side::processes)) return false;
  const bool fits = look.which == Rows::named || row.value("unverified", false) ||
                    (look.which == Rows::running_or_unverified && status == "running");
  if (!fits) return false;
  const std::string id = text_of(row, "id");
  if (!operations_.is_held(id)) return true;
  // Who has it writes what he knows, and what happens meanwhile may come after that.
  if (look.which == Rows::named) {
    lookout_for(row).defer(id);
    if (!operations_.is_held(id)) lookout_for(row).released(id);
  }
  return false;
}

Result<Runtime::Instances> Runtime::instances_for(Look& look, const Json& row) {
  const std::string name = text_of(row, "provider");
  if (const auto found = look.known.find(name); found != look.known.end()) return found->second;
  const auto left = [&] {
    return std::max(1ms, std::chrono::duration_cast<milliseconds>(look.deadline - Clock::now()));
  };
  const auto ask = [&]() -> Result<Instances> {
    if (docker_was_silent_ && name != "native") {
      return fail(503, "unreachable",
                  fmt::format("the container engine at {} is silent", options_.docker_host));
    }
    auto provider = provider_of(row, std::min(left(), options_.times.look_ping));
    if (!provider) return tl::unexpected(provider.error());
    const bool one_by_one = look.which == Rows::named && look.services.size() <= few_services;
    Instances by_service;
    for (const std::string& id : one_by_one ? look.services : std::set<std::string>{""}) {
      auto found = (*provider)->find(id, {left(), operations_.draining()});
      if (!found) return tl::unexpected(found.error());
      for (Instance& instance : *found) {
        Instance& kept = by_service[instance.service_id];
        if (kept.id.empty() || (instance.is_live() && !kept.is_live())) kept = std::move(instance);
      }
    }
    return by_service;
  };
  return look.known.emplace(name, ask()).first->second;
}

Result<Json> Runtime::reconcile_rows(Look look) {
  const auto begun = Clock::now();
  auto rows = rows_of(look);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Finding> findings;
  Tally tally;
  for (const Json& row : *rows) {
    if (!is_asked(look, row)) continue;
    const std::string id = text_of(row, "id");
    auto instances = instances_for(look, row);
    if (!instances && !expects_an_instance(row)) continue;
    Finding finding{id, row};
    if (!instances) finding.away = instances.error().message;
    finding.is_found = look.which == Rows::all || text_of(row, "status") != "running";
    if (instances) {
      if (const auto found = instances->find(id); found != instances->end()) {
        finding.instance = found->second;
      }
      finding.judgement = judge(row, finding.instance);
    }
    tally.count(finding);
    Json changed = row;
    if (look.which == Rows::all || is_news(finding)) write_into(finding, changed);
    const bool resumes = finding.judgement.kind == Kind::still_starting;
    if (changed != row || resumes || is_unfinished(finding)) findings.push_back(std::move(finding));
  }
  docker_was_silent_ = false;
  // What the drain cut was not looked at, which says nothing about the provider.
  if (operations_.draining().stop_requested()) findings.clear();
  if (!findings.empty()) {
    if (auto written = write_findings(findings); !written) return written;
  }
  for (const Finding& finding : findings) act_on(finding);
  const auto took = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  return Json{{"adopted", tally.adopted},
              {"stopped", tally.stopped},
              {"failed", tally.failed},
              {"unverified", tally.unverified},
              {"ms", took}};
}

Result<Json> Runtime::write_findings(const std::vector<Finding>& findings) {
  return store_.write_and_wait([&](Transaction& transaction) -> Result<Json> {
    for (const Finding& finding : findings) {
      auto row = transaction.get(Domain::service, finding.id);
      if (!row) return tl::unexpected(row.error());
      if (!*row) continue;
      // Somebody was faster: what he wrote is newer than what we saw, and what we saw may be newer
      // than what he knew.
      if (!is_as_seen(**row, finding.seen) || operations_.is_held(finding.id)) {
        lookout_for(**row).want(finding.id);
        continue;
      }
      const Json before = **row;
      write_into(finding, **row);
      if (**row == before) continue;
      (**row)["updated_at"] = now_rfc3339();
      if (auto done = transaction.update(Domain::service, **row); !done) {
        return tl::unexpected(done.error());
      }
    }
    return Json::object();
  });
}

void Runtime::act_on(const Finding& finding) {
  const Judgement& judgement = finding.judgement;
  if (judgement.kind == Kind::still_starting) {
    resume({{"id", finding.id}}, *finding.instance);
  } else if (is_unfinished(finding)) {
    operations_.run([this, finding] {
      auto hold = operations_.hold(finding.id, "clean up");
      if (!hold || !docker_) return;
      // It may have been started since by whoever made it.
      const auto now = docker_->inspect(*finding.instance, patience());
      if (!now || now->state != InstanceState::created) return;
      if (auto gone = docker_->remove(*now, 0s, patience()); !gone) {
        log_warn("provider", gone.error().message);
      }
    });
  }
  const std::string& why = finding.away.empty() ? judgement.reason : finding.away;
  if (!why.empty()) log_warn("provider", fmt::format("service {}: {}", finding.id, why));
}
}  // namespace aima::provider
