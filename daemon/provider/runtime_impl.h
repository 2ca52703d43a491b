// The service runtime's insides. One class, its parts in runtime*.cpp.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "daemon/provider/instance.h"
#include "daemon/provider/lookout.h"
#include "daemon/provider/operations.h"
#include "daemon/provider/ports.h"
#include "daemon/provider/runtime.h"

namespace aima::provider {

using Clock = std::chrono::steady_clock;

// What a look at the instance makes of a row.
struct Judgement {
  enum class Kind { unchanged, adopted, still_starting, stopped, failed };
  Kind kind = Kind::unchanged;
  std::string reason;
};
// Pure: the rule of the contract's section 4. `instance` empty: nothing carries its label.
Judgement judge(const Json& row, const std::optional<Instance>& instance);
// Whether a row is still what a look at the instance was compared with: whoever wrote it since
// knows better than that look.
bool is_as_seen(const Json& row, const Json& seen);
// Writes a judgement into a row. False when it says what the row said already.
bool apply(const Judgement& judgement, const std::optional<Instance>& instance, Json& row);

// What a look found out about one row.
struct Finding {
  std::string id;
  Json seen;  // the row that the look was compared with
  Judgement judgement{};
  std::optional<Instance> instance{};
  std::string away{};     // why the provider could not tell; empty: it could
  bool is_found = false;  // if it runs: it is not this daemon that had it running until now
};

class Runtime final : public ServiceRuntime {
 public:
  Runtime(RuntimeOptions options, Store& store, const EngineSet& engines);
  ~Runtime() override { shut_down(); }
  Result<void> choose_provider();

  Result<Json> reconcile() override;
  void start(Call call, Done done) override;
  void stop(Call call, Done done) override;
  void status(Call call, Done done) override;
  void logs(Call call, Done done) override;
  void remove(Call call, Done done) override;
  Result<int> port_for_model(const std::string& model) override;
  std::string provider_name() const override { return default_->name(); }
  std::string provider_description() const override { return default_->description(); }
  void shut_down() override;

 private:
  struct Starting;  // one start under way: runtime_start.cpp

  // The work's last write, if its result is the answer, takes the key of `done` along.
  using Work = Result<Json> (Runtime::*)(const Call& call, const AnswerKeyPtr& key);
  void in_background(Call call, Done done, Work work);
  Result<std::size_t> end_instances(const Json& row);  // how many there were
  Result<Json> stop_now(const Call& call, const AnswerKeyPtr& key);
  Result<Json> status_now(const Call& call, const AnswerKeyPtr& key);
  Result<Json> logs_now(const Call& call, const AnswerKeyPtr& key);
  Result<Json> remove_now(const Call& call, const AnswerKeyPtr& key);

  // Start: runtime_start.cpp.
  void start_now(Call call, Done done);
  Result<void> prepare(Starting& starting);
  Result<Json> run_to_health(Starting& starting);
  Result<void> take_port(Starting& starting);
  Result<Json> give_up(Starting& starting, Error error);
  Result<void> wait_healthy(const Starting& starting);
  Error with_last_words(const Starting& starting, Error error);
  void resume(const Json& row, const Instance& instance);

  // Rows.
  Result<Json> row_of(const std::string& service_id);
  Result<Json> change_row(const std::string& service_id, std::function<void(Json&)> change,
                          AnswerKeyPtr key = nullptr);
  // The provider a row was started on; an error when that is not the one we can talk to.
  Result<Provider*> provider_of(const Json& row,
                                std::chrono::milliseconds deadline);
  Result<Provider*> provider_of(const Json& row) { return provider_of(row, options_.times.ping); }
  Result<std::optional<Instance>> instance_of(Provider& provider, const std::string& service_id,
                                              const Patience& patience);
  std::set<int> ports_of_others(const std::string& service_id);

  // Reconciliation: runtime_reconcile.cpp.
  struct Tally;
  using Instances = std::map<std::string, Instance>;  // by service
  // What a look is at: `named`, whatever their status, when something happened to just these.
  enum class Rows { all, running_or_unverified, unverified, named };
  // Containers and processes are looked at apart: a container engine that hangs delays nobody else.
  enum class Side { both, containers, processes };
  struct Look {
    Rows which = Rows::all;
    Side side = Side::both;
    std::set<std::string> services{};  // of `named`
    Clock::time_point deadline{};
    std::map<std::string, Result<Instances>> known{};  // by provider
  };
  Result<Json> reconcile_rows(Look look);
  Result<std::vector<Json>> rows_of(const Look& look);
  bool is_asked(const Look& look, const Json& row);
  Result<Instances> instances_for(Look& look, const Json& row);
  Result<Json> write_findings(const std::vector<Finding>& findings);
  void act_on(const Finding& finding);

  // Following what happens: runtime_watch.cpp.
  void watch();  // until the drain
  void watch(Side side, Lookout& lookout, Provider& provider);
  void look_out(Side side, Lookout& lookout, const std::stop_token& stop);
  void follow(Provider& provider, Lookout& lookout, const std::stop_token& stop);
  Lookout& lookout_for(const Json& row);
  bool has_container_services();

  Patience patience() const { return {options_.times.remove, operations_.draining()}; }

  RuntimeOptions options_;
  Store& store_;
  const EngineSet& engines_;
  std::unique_ptr<Provider> docker_;  // null when DOCKER_HOST makes no sense
  std::unique_ptr<Provider> native_;
  Provider* default_ = nullptr;
  std::atomic<bool> docker_was_silent_{false};  // at start-up: not worth a second wait before READY
  PortAllocator ports_;
  std::atomic<unsigned> next_replica_{0};
  std::atomic<bool> is_watching_{false};
  Lookout containers_;
  Lookout processes_;
  Operations operations_{[this](const std::string& id) {
    containers_.released(id);
    processes_.released(id);
  }};  // last: its threads use all of the above
};
}  // namespace aima::provider
