// engine.list, get: what the embedded YAML says. Nothing here can be changed through the API.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/domain/near_miss.h"
#include "daemon/units/common.h"
#include "daemon/units/units.h"

namespace aima {
void add_engine_units(const UnitContext& context) {
  const EngineSet& engines = context.engines;
  Unit list{"engine",
            "list",
            UnitKind::query,
            "Every engine type",
            list_fields({string_field("type", "only of this type")}),
            {}};
  list.run = [&engines](Call call, Done done) {
    const auto query = list_query(call.input, {"type"});
    Page page;
    for (const auto& engine : engines.all()) {
      if (!query.equals.empty() && engine.type != query.equals.at("type")) continue;
      if (page.total++ >= query.offset && page.items.size() < query.limit)
        page.items.push_back(to_json(engine));
    }
    done(page_json(std::move(page)));
  };
  context.registry.add(std::move(list));

  Field name = string_field("id", "name or type of the engine", true);
  name.aliases = {"name", "type", "engine_id", "engine_type"};
  Unit get{"engine", "get", UnitKind::query, "One engine type", {name}, {}};
  get.run = [&engines](Call call, Done done) {
    const auto asked = call.input["id"].get<std::string>();
    if (const EngineSpec* engine = engines.find(asked)) return done(to_json(*engine));
    std::vector<std::string> names;
    for (const auto& engine : engines.all()) names.push_back(engine.name);
    done(fail(404, "not_found",
              fmt::format("there is no engine '{}'{} (known: {})", asked.substr(0, 200),
                          did_you_mean(asked, names), fmt::join(names, ", ")),
              Json{{"id", asked.substr(0, 200)}}));
  };
  context.registry.add(std::move(get));
}
}  // namespace aima
