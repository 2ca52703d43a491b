#include "daemon/units/pipeline_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/base/time.h"

namespace aima {
namespace {
constexpr std::size_t most_output_bytes = 64 << 10;  // of one step, kept in the record

Json error_json(const Error& error) {
  return Json{{"code", error.code}, {"message", error.message}};
}
}  // namespace

Result<PipelineRun> PipelineRun::make(const Json& pipeline) {
  auto steps = parse_steps(pipeline["steps"]);
  if (!steps) return tl::unexpected(steps.error());
  PipelineRun run;
  run.steps_ = std::move(*steps);
  const std::string now = now_rfc3339();
  Json records = Json::array();
  for (const auto& step : run.steps_)
    records.push_back(Json{{"id", step.id},
                           {"unit", step.unit},
                           {"status", "pending"},
                           {"started_at", nullptr},
                           {"ended_at", nullptr},
                           {"output", nullptr},
                           {"error", nullptr}});
  run.record_ = Json{{"id", ""},
                     {"pipeline_id", pipeline["id"]},
                     {"pipeline_name", pipeline["name"]},
                     {"status", "running"},
                     {"reason", ""},
                     {"steps", std::move(records)},
                     {"created_at", now},
                     {"updated_at", now},
                     {"ended_at", nullptr}};
  return run;
}

std::string PipelineRun::status_of(std::size_t index) const {
  return record_["steps"][index]["status"].get<std::string>();
}

std::vector<std::size_t> PipelineRun::begin_ready_steps() {
  std::vector<std::size_t> ready;
  if (cut_) return ready;
  const std::string now = now_rfc3339();
  for (bool changed = true; changed;) {  // a skipped step skips those behind it
    changed = false;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (status_of(i) != "pending") continue;
      const auto& waits_for = steps_[i].depends_on;
      const auto any = [&](auto... status) {
        return std::any_of(waits_for.begin(), waits_for.end(),
                           [&](std::size_t on) { return ((status_of(on) == status) || ...); });
      };
      Json& record = record_["steps"][i];
      if (any("failed", "skipped")) {
        record["status"] = "skipped";
        changed = true;
      } else if (!any("pending", "running")) {
        record["status"] = "running";
        record["started_at"] = now;
        ++in_flight_;
        ready.push_back(i);
      }
    }
  }
  record_["updated_at"] = now;
  return ready;
}

void PipelineRun::step_ended(std::size_t index, Result<Json> result) {
  Json& record = record_["steps"][index];
  if (record["status"] != "running") return;  // abandoned before
  --in_flight_;
  last_ended_ = steps_[index].id;
  record["status"] = result ? "completed" : "failed";
  record["ended_at"] = now_rfc3339();
  record_["updated_at"] = record["ended_at"];
  if (!result) {
    record["error"] = error_json(result.error());
    return;
  }
  const std::size_t size = result->dump(-1, ' ', false, Json::error_handler_t::replace).size();
  if (size <= most_output_bytes)
    record["output"] = std::move(*result);
  else
    record["output_omitted"] =
        fmt::format("{} bytes; a run keeps at most {} of each step", size, most_output_bytes);
}

void PipelineRun::cut(const std::string& reason) {
  if (cut_) return;
  cut_ = true;
  record_["status"] = "cancelling";
  record_["reason"] = reason;
  record_["updated_at"] = now_rfc3339();
}

void PipelineRun::abandon_steps_in_flight() {
  for (auto& record : record_["steps"]) {
    if (record["status"] != "running") continue;
    record["status"] = "interrupted";
    record["ended_at"] = now_rfc3339();
  }
  in_flight_ = 0;
}

bool PipelineRun::ended() const {
  if (in_flight_ > 0) return false;
  if (cut_) return true;
  const auto& steps = record_["steps"];
  return std::none_of(steps.begin(), steps.end(),
                      [](const Json& step) { return step["status"] == "pending"; });
}

void PipelineRun::finish() {
  bool failed = false;
  bool left = false;
  for (auto& step : record_["steps"]) {
    if (step["status"] == "failed") failed = true;
    if (step["status"] == "interrupted") left = true;
    if (step["status"] != "pending") continue;
    step["status"] = "cancelled";
    left = true;
  }
  // Cut behind the last step, there was nothing left to cancel.
  cut_ = cut_ && left;
  record_["status"] = cut_ ? "cancelled" : failed ? "failed" : "completed";
  if (!cut_) record_["reason"] = failed ? "a step failed" : "";
  record_["ended_at"] = now_rfc3339();
  record_["updated_at"] = record_["ended_at"];
}

std::string PipelineRun::progress() const {
  std::size_t done = 0;
  std::string waiting;
  for (const auto& step : record_["steps"]) {
    const auto status = step["status"].get<std::string>();
    if (status == "completed" || status == "failed") ++done;
    if (status == "pending" || status == "cancelled")
      waiting += (waiting.empty() ? "" : ", ") + step["id"].get<std::string>();
  }
  return fmt::format("{} of {} steps done{}; not begun: {}", done, steps_.size(),
                     last_ended_.empty() ? "" : ", last '" + last_ended_ + "'",
                     waiting.empty() ? "none" : waiting);
}

Json interrupted_record(Json record) {
  const std::string now = now_rfc3339();
  for (auto& step : record["steps"]) {
    if (step["status"] == "running") step["status"] = "interrupted";
    if (step["status"] == "pending") step["status"] = "cancelled";
  }
  record["status"] = "interrupted";
  record["reason"] = "the daemon ended while the run was under way";
  record["updated_at"] = now;
  record["ended_at"] = now;
  return record;
}
}  // namespace aima
