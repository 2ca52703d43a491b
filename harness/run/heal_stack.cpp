// Debts: durable before the fault, paid in reverse, the payment recorded.
#include "harness/run/heal_stack.h"

#include <fmt/format.h>

#include "harness/history/recorder.h"
#include "harness/target/workspace.h"

namespace harness {

void HealStack::attach(Recorder* recorder, Workspace* workspace) {
  recorder_ = recorder;
  workspace_ = workspace;
}

void HealStack::note_open() {
  Json open = Json::array();
  for (const auto& debt : debts_) {
    if (!debt.paid) open.push_back({{"id", debt.id}, {"fault", debt.fault}, {"undo", debt.undo}});
  }
  const auto noted = workspace_->note("debts", open);
  unwritten_ = noted ? "" : to_string(noted.error());
}

std::string HealStack::owe(const std::string& fault, const std::string& name,
                           const std::string& step, Json undo, Pay pay) {
  std::lock_guard lock(mutex_);
  Debt debt{fmt::format("fault-{}", debts_.size() + 1), fault, name, undo, std::move(pay)};
  recorder_->record_durably(
      "fault.debt", {{"id", debt.id}, {"fault", fault}, {"undo", std::move(undo)}, {"step", step}});
  debts_.push_back(std::move(debt));
  note_open();
  return debts_.back().id;
}

std::string HealStack::unwritten() const {
  std::lock_guard lock(mutex_);
  return unwritten_;
}

void HealStack::struck(const std::string& id, Json evidence) {
  recorder_->record("fault.struck", {{"id", id}, {"evidence", std::move(evidence)}});
}

void HealStack::missed(const std::string& id, const std::string& reason) {
  recorder_->record("fault.missed", {{"id", id}, {"reason", reason}});
}

Result<void> HealStack::settle(Debt& debt, const Limit& limit) {
  auto healed = debt.pay(limit);
  debt.paid = true;
  recorder_->record("fault.healed", {{"id", debt.id},
                                     {"ok", healed.has_value()},
                                     {"detail", healed ? *healed : Json(to_string(healed.error()))}});
  if (!healed) return within("healing " + debt.fault, healed.error());
  return {};
}

Result<int> HealStack::pay(const std::string& fault, const Limit& limit) {
  std::lock_guard lock(mutex_);
  int paid = 0;
  Result<int> outcome = 0;
  for (auto debt = debts_.rbegin(); debt != debts_.rend(); ++debt) {
    if (debt->paid || !debt->is(fault)) continue;
    if (auto settled = settle(*debt, limit); !settled) outcome = tl::unexpected(settled.error());
    ++paid;
    if (!fault.empty()) break;
  }
  if (paid > 0) note_open();
  if (outcome) outcome = paid;
  return outcome;
}

bool HealStack::open(const std::string& fault) const {
  std::lock_guard lock(mutex_);
  for (const auto& debt : debts_) {
    if (!debt.paid && debt.is(fault)) return true;
  }
  return false;
}
}  // namespace harness
