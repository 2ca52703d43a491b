// What is shown of a service: its status as the instance says now, and its log.
#include "daemon/provider/rows.h"
#include "daemon/provider/runtime_impl.h"

namespace aima::provider {

Result<Json> Runtime::status_now(const Call& call, const AnswerKeyPtr& /*key*/) {
  const std::string id = call.input.at("id");
  auto row = row_of(id);
  if (!row) return row;
  auto provider = provider_of(*row);
  Result<std::optional<Instance>> instance = std::nullopt;
  if (provider) {
    instance = instance_of(**provider, id, {options_.times.ask, operations_.draining()});
  } else {
    instance = tl::unexpected(provider.error());
  }
  if (!instance) {
    (*row)["unverified"] = true;
    (*row)["reason"] = "status as last known: " + instance.error().message;
    return row;
  }
  // While an operation has the service, what it writes counts.
  const Judgement judgement = judge(*row, *instance);
  if (Json changed = *row; apply(judgement, *instance, changed) && !operations_.is_held(id)) {
    row = change_row(id, [&, seen = *row](Json& stored) {
      if (is_as_seen(stored, seen)) apply(judgement, *instance, stored);
    });
    if (!row) return row;
  }
  Json shown = *row;
  shown["instance"] = nullptr;
  if (*instance) {
    const Instance& now = **instance;
    const char* state = now.state == InstanceState::running   ? "running"
                        : now.state == InstanceState::paused  ? "paused"
                        : now.state == InstanceState::created ? "created"
                                                              : "ended";
    shown["instance"] = {{"id", now.id}, {"state", state}, {"port", now.port}};
    if (!now.detail.empty()) shown["instance"]["detail"] = now.detail;
    if (now.exit_status) shown["instance"]["exit_status"] = *now.exit_status;
  }
  return shown;
}

Result<Json> Runtime::logs_now(const Call& call, const AnswerKeyPtr& /*key*/) {
  const std::string id = call.input.at("id");
  auto row = row_of(id);
  if (!row) return row;
  auto provider = provider_of(*row);
  if (!provider) return tl::unexpected(provider.error());
  auto instance = instance_of(**provider, id, patience());
  if (!instance) return tl::unexpected(instance.error());
  Instance asked;
  asked.service_id = id;
  if (*instance) {
    asked = **instance;
  } else if ((*provider)->name() != "native") {  // native logs outlive their process
    return Json{{"id", id}, {"logs", ""}};
  }
  const int tail = call.input.value("tail", 100);
  auto text = (*provider)->logs(asked, tail, patience());
  if (!text) return tl::unexpected(text.error());
  return Json{{"id", id}, {"logs", *text}};
}
}  // namespace aima::provider
