// Every look is one that the probes make too (rule 10): a copy of the database with the daemon
// down, the backup API with it up.
#include "harness/prove/surveyor.h"

#include <filesystem>

#include "harness/prove/course.h"
#include "harness/prove/database.h"
#include "harness/prove/engines.h"
#include "harness/run/step.h"
#include "harness/target/kernel_locks.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds survey_time(5000);

class Surveyor : public Saboteur {
 public:
  void before_step(Live& live, const Step& step, const Limit& limit) override {
    live_ = &live;
    limit_ = limit;
    step_ = step.path;
    // Engines change behind the daemon, so they are looked at where somebody else will look too.
    if (judged(step) || asks_to_leave(step) || step.kind == "signal") survey(false);
  }
  void before_spawn(SpawnOptions&) override {
    if (live_ && started_) survey(true);  // a restart: down only here
  }
  void after_step(Live& live, const Step&, const StepResult&, const Limit&) override {
    if (!live.session.daemon) return;
    // Down: at every step, for a death may be seen before the step that awaits it.
    if (!live.session.daemon_running() || !started_) survey(true);
    started_ = true;
  }

 private:
  void survey(bool whole) {
    const Limit limit = limit_.within(survey_time);
    Json fields = {{"step", step_}};
    if (whole) look_at_files(fields, limit);
    if (live_->session.engine || live_->session.provider == "native") {
      if (auto engines = engines_of(*live_, limit)) {
        Json roles = Json::array();
        for (const auto& engine : *engines) {
          if (engine.running) roles.push_back(engine.role);
        }
        fields["engines"] = std::move(roles);
      }
    }
    live_->recorder->record("survey", std::move(fields));
  }

  void look_at_files(Json& fields, const Limit& limit) {
    const std::string& data = live_->session.target.data;
    std::error_code error;
    if (!data.empty() && fs::exists(data, error)) {
      if (const auto locks = locks_below(data)) {
        fields["locks"] = Json::array();
        for (const auto& lock : *locks)
          fields["locks"].push_back(to_json(lock, fs::relative(lock.path, data, error)));
      }
      std::size_t files = 0;
      for (const auto& entry : fs::recursive_directory_iterator(data, error)) {
        if (entry.is_regular_file(error)) ++files;
      }
      fields["files"] = files;
    }
    auto file = database_file(*live_);
    if (!file) return;
    fields["wal_bytes"] = bytes_of(*file + "-wal");
    if (auto rows = rows_by_table(*live_, limit)) {
      fields["tables"] = Json::object();
      for (const auto& [table, count] : *rows) fields["tables"][table] = count;
    }
  }

  Live* live_ = nullptr;
  Limit limit_;
  std::string step_;
  bool started_ = false;  // the first start is behind us
};

}  // namespace

std::unique_ptr<Saboteur> control_surveyor() { return std::make_unique<Surveyor>(); }
}  // namespace harness
