// The rule of reconciliation, without I/O: a row and what carries its label, in; what is true, out.
#include <fmt/format.h>

#include "daemon/provider/rows.h"
#include "daemon/provider/runtime_impl.h"

namespace aima::provider {

Judgement judge(const Json& row, const std::optional<Instance>& instance) {
  using Kind = Judgement::Kind;
  const std::string status = text_of(row, "status");
  if (status == "creating") return {};  // never started: nothing to compare with
  if (instance && instance->is_live()) {
    if (status == "starting") return {Kind::still_starting, ""};
    return {Kind::adopted, instance->detail};
  }
  if (status == "stopped" || status == "failed") return {};
  const std::string what = !instance ? "nothing runs under its label any more" : instance->detail;
  if (status == "starting") {
    return {Kind::failed, "its start was interrupted: " + what};
  }
  const bool ended_badly = instance && instance->exit_status.value_or(0) != 0;
  if (status == "stopping" || !ended_badly) return {Kind::stopped, what};
  return {Kind::failed, what};
}

bool is_as_seen(const Json& row, const Json& seen) {
  for (const char* key : {"status", "instance_id", "updated_at"}) {
    if (text_of(row, key) != text_of(seen, key)) return false;
  }
  return true;
}

bool apply(const Judgement& judgement, const std::optional<Instance>& instance, Json& row) {
  using Kind = Judgement::Kind;
  const Json before = row;
  const auto reason = [&] { return judgement.reason.empty() ? Json() : Json(judgement.reason); };
  row["unverified"] = false;
  if (before.value("unverified", false)) row["reason"] = nullptr;
  switch (judgement.kind) {
    case Kind::unchanged:
      break;
    case Kind::adopted:
    case Kind::still_starting:
      // The instance knows its port better than a row that may be older than it.
      if (instance->port != 0) row["port"] = instance->port;
      row["instance_id"] = instance->id;
      if (judgement.kind == Kind::still_starting) break;
      row["status"] = "running";
      row["endpoint"] = fmt::format("http://127.0.0.1:{}", number_of(row, "port"));
      row["reason"] = reason();
      break;
    case Kind::stopped:
    case Kind::failed:
      row["status"] = judgement.kind == Kind::stopped ? "stopped" : "failed";
      row["instance_id"] = nullptr;
      row["endpoint"] = nullptr;
      row["adopted"] = false;
      row["reason"] = reason();
      break;
  }
  return row != before;
}
}  // namespace aima::provider
