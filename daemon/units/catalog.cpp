// catalog.create, list, get, delete, match: recipes that say which engine and configuration suit
// which hardware.
#include <algorithm>

#include "daemon/domain/rules.h"
#include "daemon/units/common.h"
#include "daemon/units/match.h"
#include "daemon/units/units.h"

namespace aima {
namespace {
Field typed(std::string name, FieldType type, std::string help) {
  Field field = string_field(std::move(name), std::move(help));
  field.type = type;
  return field;
}

Result<Json> checked_recipe(const Json& input) {
  if (auto good = check_name("name", input["name"].get<std::string>()); !good)
    return tl::unexpected(good.error());
  for (const char* field : {"models", "tags"})
    if (input.contains(field))
      if (auto good = check_words(field, input[field]); !good) return tl::unexpected(good.error());
  return Json{{"name", input["name"]},
              {"engine_type", input.value("engine_type", "")},
              {"hardware", input.value("hardware", Json::object())},
              {"config", input.value("config", Json::object())},
              {"models", input.value("models", Json::array())},
              {"tags", input.value("tags", Json::array())}};
}

bool names_model(const Json& recipe, const std::string& model) {
  const Json& models = recipe["models"];
  return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
}

Result<Json> match_recipes(Store& store, const Json& input) {
  ListQuery query;
  query.limit = most_items;
  if (input.contains("engine_type")) query.equals["engine_type"] = input["engine_type"];
  struct Hit {
    Json recipe;
    Match match;
  };
  std::vector<Hit> hits;
  for (;; query.offset += most_items) {
    auto page = store.list(Domain::catalog, query);
    if (!page) return tl::unexpected(page.error());
    for (auto& recipe : page->items) {
      if (input.contains("model") && !names_model(recipe, input["model"].get<std::string>()))
        continue;
      Match match = match_hardware(recipe["hardware"], input["hardware"]);
      if (match.fits) hits.push_back({std::move(recipe), std::move(match)});
    }
    if (page->items.size() < most_items) break;
  }
  // Stable: equal scores stay in creation order; the more specific of two full fits comes first.
  std::stable_sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    if (a.match.score != b.match.score) return a.match.score > b.match.score;
    return a.match.matched.size() > b.match.matched.size();
  });
  Page matched;
  matched.total = hits.size();
  const auto limit = input["limit"].get<std::size_t>();
  const auto offset = input["offset"].get<std::size_t>();
  for (std::size_t i = offset; i < hits.size() && matched.items.size() < limit; ++i)
    matched.items.push_back(Json{{"score", hits[i].match.score},
                                 {"matched", hits[i].match.matched},
                                 {"unknown", hits[i].match.unknown},
                                 {"recipe", std::move(hits[i].recipe)}});
  return page_json(std::move(matched));
}
}  // namespace

void add_catalog_units(const UnitContext& context) {
  Store& store = context.store;
  Unit create{
      "catalog",
      "create",
      UnitKind::command,
      "Stores a recipe",
      {string_field("name", "how people call it; unique", true),
       string_field("engine_type", "the engine it configures"),
       typed("hardware", FieldType::object, "what it needs, e.g. {\"gpu_vendor\":\"NVIDIA\"}"),
       typed("config", FieldType::object, "the engine's settings"),
       typed("models", FieldType::string_list, "models it is meant for; none: any"),
       typed("tags", FieldType::string_list, "free words")},
      {}};
  create.run = [&store](Call call, Done done) {
    auto recipe = checked_recipe(call.input);
    if (!recipe) return done(tl::unexpected(recipe.error()));
    create_object(store, Domain::catalog, std::move(*recipe), std::move(done));
  };
  context.registry.add(std::move(create));
  add_get_and_list(context.registry, store, Domain::catalog,
                   {string_field("engine_type", "only for this engine")});

  Unit erase{"catalog",
             "delete",
             UnitKind::command,
             "Deletes a recipe",
             {id_field(Domain::catalog)},
             {}};
  erase.run = [&store](Call call, Done done) {
    erase_object(store, Domain::catalog, call.input["id"].get<std::string>(), {}, std::move(done));
  };
  context.registry.add(std::move(erase));

  Field hardware = typed("hardware", FieldType::object,
                         "the machine, e.g. {\"gpu_vendor\":\"NVIDIA\",\"vram_gb\":24}");
  hardware.required = true;
  Unit match{"catalog",
             "match",
             UnitKind::query,
             "Recipes that fit a machine, best first",
             list_fields({hardware, string_field("engine_type", "only for this engine"),
                          string_field("model", "only for this model")}),
             {}};
  match.run = [&store](Call call, Done done) { done(match_recipes(store, call.input)); };
  context.registry.add(std::move(match));
}
}  // namespace aima
