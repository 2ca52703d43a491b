// The clients of a workload, and the sums of what they saw.
#include "harness/run/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "harness/base/read_json.h"
#include "harness/probes/http.h"
#include "harness/run/live.h"
#include "harness/run/step.h"

namespace harness {
namespace {

constexpr std::int64_t most_failures = 100;  // of a daemon that is gone nothing more is learnt
constexpr std::size_t most_named = 20;
constexpr std::size_t most_reply = 1u << 20;

struct Clients {
  Live& live;
  const Session& session;
  const Step& step;
  const WorkloadPlan& plan;
  WorkloadTally& progress;
  const Limit& limit;
  std::atomic<std::int64_t> next = 0;
  std::atomic<std::int64_t> failures = 0;
  std::mutex mutex;  // of the three below
  std::vector<Sent> sent;
  Json kept = Json::array();
  std::string trouble;  // a request that could not even be made
};

bool status_is_good(const Arguments& arguments, int status) {
  const auto wanted = arguments.texts("status");
  return status_wanted(wanted.empty() ? std::vector<std::string>{"2xx"} : wanted, status);
}

void keep_field(const std::string& field, const HttpReply& reply, Json& kept) {
  if (field.empty()) return;
  const JsonReading document = read_json(reply.body);
  if (!document.is_json() || !document.value.is_object()) return;
  const auto found = document.value.find(field);
  if (found != document.value.end()) kept.push_back(*found);
}

// Until all numbers are given out. What it saw is handed over at its end only: the clients share
// nothing but counters while they send.
void be_client(Clients& all, int number) {
  Session own = branch_of(all.session);
  std::vector<Sent> sent;
  Json kept = Json::array();
  std::string trouble;
  while (!all.limit.stopped() && !all.limit.expired() && all.failures < most_failures) {
    const std::int64_t n = ++all.next;
    if (n > all.plan.requests) break;
    const std::size_t which = static_cast<std::size_t>(n - 1) % all.step.children.size();
    own.variables["n"] = std::to_string(n);
    const Arguments arguments(all.step.children[which].arguments, own.variables);
    auto request = arguments.trouble() ? Result<HttpRequest>(tl::unexpected(*arguments.trouble()))
                                       : http_request(own, arguments);
    if (!request) {
      trouble = request.error().message;
      break;
    }
    request->fresh_connection = false;
    request->most_bytes = most_reply;
    all.live.triggers.request(request->method + " " + *arguments.text("request"));
    const HttpReply reply = perform(*request, all.limit.within(all.plan.deadline));
    if (reply.error == "stopped") break;  // nobody's answer: it counts as never sent
    const bool good = reply.error.empty() && status_is_good(arguments, reply.status);
    sent.push_back({n, number, which, reply.status, reply.connections, reply.resent, good, reply.error,
                    reply.begin, reply.end});
    if (reply.error.empty()) ++all.progress.answered;
    if (good) keep_field(all.plan.keep, reply, kept);
    else ++all.failures;
  }
  const std::lock_guard lock(all.mutex);
  all.sent.insert(all.sent.end(), sent.begin(), sent.end());
  for (auto& value : kept) all.kept.push_back(std::move(value));
  if (!trouble.empty()) all.trouble = trouble;
}

std::string outcome_of_sent(const Sent& one) {
  return one.error.empty() ? std::to_string(one.status) : one.error;
}

// Each start of the daemon while requests were under way, and how many there were before it (of the
// daemon before), carried over it (asked before it was spawned, answered after), and after it.
Json restarts_of(const std::vector<Sent>& sent, const std::vector<DaemonLife>& lives) {
  Json restarts = Json::array();
  if (sent.empty()) return restarts;
  const auto earlier = [](const Sent& a, const Sent& b) { return a.begin < b.begin; };
  const Instant begin = std::min_element(sent.begin(), sent.end(), earlier)->begin;
  const auto sooner = [](const Sent& a, const Sent& b) { return a.end < b.end; };
  const Instant end = std::max_element(sent.begin(), sent.end(), sooner)->end;
  for (std::size_t index = 1; index < lives.size(); ++index) {
    const DaemonLife& last = lives[index - 1];
    const DaemonLife& life = lives[index];
    if (life.spawned < begin || life.spawned > end || !life.ready) continue;
    const Instant asked = last.asked.value_or(life.spawned);
    const Instant until = life.asked.value_or(end);
    int before = 0, carried = 0, after = 0;
    Clock::duration longest{0};
    for (const Sent& one : sent) {
      if (!one.good) continue;
      before += one.begin >= last.spawned && one.end <= asked ? 1 : 0;
      carried += one.begin < life.spawned && one.end > life.spawned ? 1 : 0;
      after += one.begin >= *life.ready && one.end <= until ? 1 : 0;
      if (one.begin < *life.ready && one.end > asked) longest = std::max(longest, one.end - one.begin);
    }
    restarts.push_back({{"instance", life.instance},
                        {"before", before},
                        {"carried", carried},
                        {"after", after},
                        {"down_ms", milliseconds(*life.ready - asked)},
                        {"longest_ms", milliseconds(longest)}});
  }
  return restarts;
}

Json sums_of(const Clients& all) {
  std::map<std::string, std::int64_t> outcomes;
  std::int64_t answered = 0, failed = 0, connections = 0, resent = 0;
  Json failures = Json::array();
  Clock::duration slowest{0};
  for (const Sent& one : all.sent) {
    ++outcomes[outcome_of_sent(one)];
    answered += one.error.empty() ? 1 : 0;
    failed += one.good ? 0 : 1;
    connections += one.connections;
    resent += one.resent;
    slowest = std::max(slowest, one.end - one.begin);
    if (one.good || failures.size() >= most_named) continue;
    failures.push_back({{"n", one.n},
                        {"outcome", outcome_of_sent(one)},
                        {"begin_ms", all.live.at_ms(one.begin)},
                        {"end_ms", all.live.at_ms(one.end)}});
  }
  const auto sent = static_cast<std::int64_t>(all.sent.size());
  Json sums = {{"requests", all.plan.requests},
               {"sent", sent},
               {"answered", answered},
               {"failed", failed + all.plan.requests - sent},  // not sent is not answered
               {"refused", outcomes.contains("refused") ? outcomes.at("refused") : 0},
               {"outcomes", outcomes},
               {"failures", std::move(failures)},
               {"connections", connections},
               {"resent", resent},
               {"clients", all.plan.clients},
               {"slowest_ms", milliseconds(slowest)},
               {"kept", all.kept}};
  if (!all.trouble.empty()) sums["trouble"] = all.trouble;
  return sums;
}

std::string table_of(const Clients& all) {
  std::string text = "n\tclient\trequest\tbegin_ms\tend_ms\tconnections\tresent\toutcome\n";
  for (const Sent& one : all.sent) {
    text += fmt::format("{}\t{}\t{}\t{:.2f}\t{:.2f}\t{}\t{}\t{}\n", one.n, one.client, one.step + 1,
                        all.live.at_ms(one.begin), all.live.at_ms(one.end), one.connections,
                        one.resent, outcome_of_sent(one));
  }
  return text;
}

}  // namespace

std::shared_ptr<WorkloadTally> WorkloadProgress::begin(const std::string& group) {
  const std::lock_guard lock(mutex_);
  return all_[group] = std::make_shared<WorkloadTally>();
}

std::shared_ptr<WorkloadTally> WorkloadProgress::of(const std::string& group) const {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(group);
  return found == all_.end() ? nullptr : found->second;
}

Json carry_out(Live& live, const Session& session, const Step& step, const WorkloadPlan& plan,
               WorkloadTally& progress, const Limit& limit) {
  Clients all{live, session, step, plan, progress, limit, 0, 0, {}, {}, Json::array(), ""};
  {
    std::vector<std::jthread> threads;
    for (int number = 1; number <= plan.clients; ++number) {
      threads.emplace_back([&all, number] { be_client(all, number); });
    }
  }
  progress.ended = true;
  std::sort(all.sent.begin(), all.sent.end(), [](const Sent& a, const Sent& b) { return a.n < b.n; });
  Json sums = sums_of(all);
  constexpr std::size_t most_table = 8u << 20;
  const std::string file =
      live.recorder->evidence("workload-" + plan.group + ".tsv", table_of(all), most_table);
  progress.sent = std::move(all.sent);
  return {{"workload", std::move(sums)}, {"evidence", file}};
}

Result<Observation> workload_observation(StepContext& context, const std::string& group, Json row) {
  Json& sums = row["workload"];
  const std::string trouble = sums.value("trouble", "");
  if (!trouble.empty()) {
    return fail(ErrorKind::invalid, fmt::format("workload `{}`: {}", group, trouble), context.step.span);
  }
  // Only now: all that was done to the daemon meanwhile is known.
  if (const auto progress = context.live.progress.of(group)) {
    sums["restarts"] = restarts_of(progress->sent, context.live.daemon.lives());
  }
  Observation seen;
  seen.summary = fmt::format("{}: {} of {} requests failed, {} sent again, {} connections", group,
                             sums["failed"].get<std::int64_t>(), sums["requests"].get<std::int64_t>(),
                             sums["resent"].get<std::int64_t>(),
                             sums["connections"].get<std::int64_t>());
  for (const auto& [outcome, many] : sums["outcomes"].items()) {
    seen.summary += fmt::format(", {} × {}", many.get<std::int64_t>(), outcome);
  }
  for (const auto& restart : sums["restarts"]) {
    seen.summary += fmt::format("; start {}: {} before, {} carried, {} after",
                                restart["instance"].get<int>(), restart["before"].get<int>(),
                                restart["carried"].get<int>(), restart["after"].get<int>());
  }
  if (const std::string file = row.value("evidence", ""); !file.empty()) seen.evidence.push_back(file);
  seen.document = std::move(sums);
  return seen;
}
}  // namespace harness
