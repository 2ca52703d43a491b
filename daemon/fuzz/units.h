// All units over a store in memory, for the fuzz targets. No engine is ever started.
#pragma once
#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <memory>

#include "daemon/units/pipeline_runner.h"
#include "daemon/units/units.h"

namespace aima::fuzz {

// Agrees to everything and does nothing.
class StillRuntime final : public ServiceRuntime {
 public:
  Result<Json> reconcile() override { return Json::object(); }
  void start(Call, Done done) override { done(Json::object()); }
  void stop(Call, Done done) override { done(Json::object()); }
  void status(Call, Done done) override { done(Json::object()); }
  void logs(Call, Done done) override { done(Json::object()); }
  void remove(Call, Done done) override { done(Json::object()); }
  Result<int> port_for_model(const std::string&) override {
    return fail(404, "no_service", "no service runs");
  }
  std::string provider_name() const override { return "none"; }
  std::string provider_description() const override { return "none"; }
  void shut_down() override {}
};

class Units {
 public:
  explicit Units(boost::asio::io_context& io);
  ~Units();
  const UnitRegistry& registry() const { return registry_; }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<Store> store_;
  EngineSet engines_;
  StillRuntime runtime_;
  UnitRegistry registry_;
  std::unique_ptr<PipelineRunner> pipelines_;
};

}  // namespace aima::fuzz
