#include "daemon/fuzz/units.h"

#include <stdlib.h>

#include "daemon/fuzz/targets.h"
#include "daemon/gateway/relay.h"
#include "daemon/log/log.h"

namespace aima::fuzz {

Units::Units(boost::asio::io_context& io) {
  std::string name = (std::filesystem::temp_directory_path() / "aima-fuzz-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) broken("no folder for the store");
  folder_ = name;
  set_log_level("error");
  StoreOptions options{folder_, {}};
  for (const Domain domain : {Domain::model, Domain::service, Domain::catalog, Domain::skill,
                              Domain::pipeline, Domain::alert}) {
    options.kinds[domain] = StoreKind::memory;
  }
  auto store = Store::open(options);
  auto engines = EngineSet::load();
  if (!store || !engines) broken("the store or the engines cannot be opened");
  store_ = std::move(*store);
  engines_ = std::move(*engines);
  pipelines_ = std::make_unique<PipelineRunner>(*store_, registry_);
  add_all_units({*store_, engines_, runtime_, registry_, *pipelines_,
                 [] { return Json{{"version", "fuzz"}}; }});
  RelayOptions relay;
  relay.port_for_model = [this](const std::string& model) { return runtime_.port_for_model(model); };
  add_inference_units(registry_, io, std::move(relay));
  if (!seed_builtin_skills(*store_)) broken("the built-in skills cannot be loaded");
}

Units::~Units() {
  pipelines_.reset();
  store_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace aima::fuzz
