// skill.create, list, get, delete, search; and the built-in skills, loaded anew at every start.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>

#include "daemon/assets/assets.h"
#include "daemon/base/time.h"
#include "daemon/domain/rules.h"
#include "daemon/log/log.h"
#include "daemon/units/common.h"
#include "daemon/units/front_matter.h"
#include "daemon/units/match.h"
#include "daemon/units/units.h"

namespace aima {
namespace {

Result<Json> search(Store& store, const Json& input) {
  const auto words = search_words(input["query"].get<std::string>());
  if (words.empty())
    return fail(400, "invalid_input", "field 'query' holds no word to look for",
                Json{{"field", "query"}});
  ListQuery query = list_query(input, {"category", "source"});
  const std::size_t limit = query.limit;
  const std::size_t offset = query.offset;
  std::vector<std::pair<int, Json>> hits;
  query.limit = most_items;
  for (query.offset = 0;; query.offset += most_items) {
    auto page = store.list(Domain::skill, query);
    if (!page) return tl::unexpected(page.error());
    for (auto& skill : page->items)
      if (const int score = search_score(skill, words); score > 0)
        hits.emplace_back(score, std::move(skill));
    if (page->items.size() < most_items) break;
  }
  std::stable_sort(hits.begin(), hits.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  Page found;
  found.total = hits.size();
  for (std::size_t i = offset; i < hits.size() && found.items.size() < limit; ++i) {
    hits[i].second["score"] = hits[i].first;
    found.items.push_back(std::move(hits[i].second));
  }
  return page_json(std::move(found));
}

Result<Json> checked_skill(const Json& input) {
  if (auto good = check_name("name", input["name"].get<std::string>()); !good)
    return tl::unexpected(good.error());
  if (input.contains("keywords"))
    if (auto good = check_words("keywords", input["keywords"]); !good)
      return tl::unexpected(good.error());
  return Json{{"name", input["name"]},
              {"description", input.value("description", "")},
              {"keywords", input.value("keywords", Json::array())},
              {"category", input.value("category", "")},
              {"content", input.value("content", "")},
              {"source", "user"}};
}

// Built-in skills keep their id over restarts, also where the store forgets them: it comes from
// the name. FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/
std::string builtin_id(const std::string& name) {
  std::uint32_t hash = 2166136261U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return fmt::format("{}{:08x}", id_prefix_of(Domain::skill), hash);
}

// Its own id, or another when a skill of the user drew that one first.
Result<std::string> free_id_for(Transaction& transaction, const std::string& name) {
  std::string id = builtin_id(name);
  auto taken = transaction.get(Domain::skill, id);
  if (!taken) return tl::unexpected(taken.error());
  return *taken ? transaction.new_id(Domain::skill) : Result<std::string>(std::move(id));
}

// What the assets ask the store to become. Empty when it is so already: then a start writes
// nothing.
struct SeedPlan {
  std::vector<Json> insert, update;
  std::vector<std::string> erase;
};

Result<SeedPlan> plan_seed(Store& store) {
  SeedPlan plan;
  auto stored = store.list(Domain::skill, ListQuery{{{"source", "builtin"}}, most_items, 0});
  if (!stored) return tl::unexpected(stored.error());
  std::map<std::string, Json> leftover;
  for (auto& skill : stored->items) {
    const auto name = skill["name"].get<std::string>();  // before the move: right side goes first
    leftover[name] = std::move(skill);
  }
  for (const auto& asset : assets::skills()) {
    auto skill = parse_skill_asset(asset.name, asset.text);
    if (!skill) return tl::unexpected(skill.error());
    const auto name = (*skill)["name"].get<std::string>();
    if (const auto known = leftover.find(name); known != leftover.end()) {
      Json updated = known->second;
      updated.update(*skill);
      if (updated != known->second) {
        updated["updated_at"] = now_rfc3339();
        plan.update.push_back(std::move(updated));
      }
      leftover.erase(known);
      continue;
    }
    auto taken = store.find_by_name(Domain::skill, name);
    if (!taken) return tl::unexpected(taken.error());
    if (*taken)
      log_warn("skill", fmt::format("the built-in skill '{}' is not loaded: the user's {} has its "
                                    "name",
                                    name, (**taken)["id"].get<std::string>()));
    else
      plan.insert.push_back(std::move(*skill));
  }
  for (const auto& [name, skill] : leftover) plan.erase.push_back(skill["id"].get<std::string>());
  return plan;
}
}  // namespace

Result<void> seed_builtin_skills(Store& store) {
  auto plan = plan_seed(store);
  if (!plan) return tl::unexpected(plan.error());
  if (plan->insert.empty() && plan->update.empty() && plan->erase.empty()) return {};
  auto written = store.write_and_wait([&plan](Transaction& transaction) -> Result<Json> {
    for (const auto& id : plan->erase)
      if (auto gone = transaction.erase(Domain::skill, id); !gone)
        return tl::unexpected(gone.error());
    for (const auto& skill : plan->update)
      if (auto changed = transaction.update(Domain::skill, skill); !changed)
        return tl::unexpected(changed.error());
    for (const auto& skill : plan->insert) {
      auto id = free_id_for(transaction, skill["name"].get<std::string>());
      if (!id) return tl::unexpected(id.error());
      if (auto added = transaction.insert(Domain::skill, stamped(*id, skill)); !added)
        return tl::unexpected(added.error());
    }
    return Json(nullptr);
  });
  if (!written) return tl::unexpected(written.error());
  return {};
}

void add_skill_units(const UnitContext& context) {
  Store& store = context.store;
  Field keywords = string_field("keywords", "words it is found by");
  keywords.type = FieldType::string_list;
  Unit create{"skill",
              "create",
              UnitKind::command,
              "Stores a skill",
              {string_field("name", "how people call it; unique", true),
               string_field("description", "one line"), keywords,
               string_field("category", "e.g. operations"),
               string_field("content", "the skill itself, Markdown")},
              {}};
  create.run = [&store](Call call, Done done) {
    auto skill = checked_skill(call.input);
    if (!skill) return done(tl::unexpected(skill.error()));
    create_object(store, Domain::skill, std::move(*skill), std::move(done));
  };
  context.registry.add(std::move(create));

  Field source = string_field("source", "builtin or user");
  source.allowed = {"builtin", "user"};
  add_get_and_list(context.registry, store, Domain::skill,
                   {string_field("category", "only of this category"), source});

  Unit erase{"skill",
             "delete",
             UnitKind::command,
             "Deletes a skill; built-in ones stay",
             {id_field(Domain::skill)},
             {}};
  erase.run = [&store](Call call, Done done) {
    const auto user_only = [](Transaction&, const Json& skill) -> Result<void> {
      if (skill.value("source", "") != "builtin") return {};
      return fail(409, "builtin",
                  fmt::format("skill {} ('{}') is built in and cannot be deleted: it would be back "
                              "after the next start",
                              skill["id"].get<std::string>(), skill["name"].get<std::string>()));
    };
    erase_object(store, Domain::skill, call.input["id"].get<std::string>(), user_only,
                 std::move(done));
  };
  context.registry.add(std::move(erase));

  Field query = string_field("query", "words; each must be found", true);
  query.aliases = {"q"};
  Unit find{"skill",
            "search",
            UnitKind::query,
            "Skills by the words in name, description, keywords and content, best first",
            list_fields({query, string_field("category", "only of this category"), source}),
            {}};
  find.run = [&store](Call call, Done done) { done(search(store, call.input)); };
  context.registry.add(std::move(find));
}
}  // namespace aima
