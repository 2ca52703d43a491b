// The debts of a run: what was hurt and must be undone, paid in reverse on every way out (rule 5).
#pragma once
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

class Recorder;
class Workspace;

class HealStack {
 public:
  using Pay = std::function<Result<Json>(const Limit&)>;

  void attach(Recorder* recorder, Workspace* workspace);
  // Records the debt durably (history and run.json) before anything is hurt. Returns its id.
  // `name`: what the scenario calls it, if it does.
  std::string owe(const std::string& fault, const std::string& name, const std::string& step,
                  Json undo, Pay pay);
  // Why the debts could not be written down when that was last tried; empty: they are. Nothing may
  // strike then (rule 5).
  std::string unwritten() const;
  void struck(const std::string& id, Json evidence);
  void missed(const std::string& id, const std::string& reason);
  // Pays the last open debt of that fault or name (all debts where `fault` is empty), newest first. Returns
  // how many were paid; what could not be paid stays recorded as ok: false.
  Result<int> pay(const std::string& fault, const Limit& limit);
  bool open(const std::string& fault) const;

 private:
  struct Debt {
    std::string id, fault, name;
    Json undo;
    Pay pay;
    bool paid = false;
    bool is(const std::string& wanted) const {
      return wanted.empty() || fault == wanted || name == wanted;
    }
  };
  void note_open();
  Result<void> settle(Debt& debt, const Limit& limit);

  mutable std::mutex mutex_;
  std::vector<Debt> debts_;
  std::string unwritten_;
  Recorder* recorder_ = nullptr;
  Workspace* workspace_ = nullptr;
};
}  // namespace harness
