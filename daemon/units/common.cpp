#include "daemon/units/common.h"

#include <fmt/format.h>

#include "daemon/base/time.h"

namespace aima {

Field string_field(std::string name, std::string help, bool required) {
  Field field;
  field.name = std::move(name);
  field.help = std::move(help);
  field.required = required;
  return field;
}

Field word_field(std::string name, std::string help, std::vector<std::string> allowed) {
  Field field = string_field(std::move(name), std::move(help));
  field.allowed = std::move(allowed);
  return field;
}

Field id_field(Domain domain, std::vector<std::string> more_aliases) {
  Field field =
      string_field("id", fmt::format("the id, as {}… in the list", id_prefix_of(domain)), true);
  field.aliases = std::move(more_aliases);
  field.aliases.push_back(std::string(name_of(domain)) + "_id");
  // What people call the objects of these domains, and the upstream project in its inputs.
  if (domain == Domain::catalog) field.aliases.push_back("recipe_id");
  if (domain == Domain::alert) field.aliases.push_back("rule_id");
  return field;
}

std::vector<Field> list_fields(std::vector<Field> filters) {
  Field limit;
  limit.name = "limit";
  limit.type = FieldType::integer;
  limit.help = "most items to answer";
  limit.fallback = most_items;
  limit.minimum = 1;
  limit.maximum = most_items;
  Field offset;
  offset.name = "offset";
  offset.type = FieldType::integer;
  offset.help = "items to skip, in creation order";
  offset.fallback = 0;
  offset.minimum = 0;
  filters.push_back(std::move(limit));
  filters.push_back(std::move(offset));
  return filters;
}

ListQuery list_query(const Json& input, const std::vector<std::string>& filters) {
  ListQuery query;
  query.limit = input.value("limit", most_items);
  query.offset = input.value("offset", std::size_t{0});
  for (const auto& filter : filters)
    if (const auto value = input.find(filter); value != input.end() && value->is_string())
      query.equals[filter] = value->get<std::string>();
  return query;
}

Json page_json(Page page) {
  Json reply = Json::object();
  reply["items"] = Json::array();
  for (auto& item : page.items) reply["items"].push_back(std::move(item));
  reply["total"] = page.total;
  return reply;
}

Error not_found(Store& store, Domain domain, const std::string& id) {
  const bool is_run = domain == Domain::pipeline_run;
  const std::string what = is_run ? "pipeline run" : name_of(domain);
  std::string message = fmt::format("there is no {} '{}'", what, id.substr(0, 200));
  if (is_run)
    message += "; pipeline.run answers the id of a run";
  else if (auto named = store.find_by_name(domain, id); named && *named)
    message += fmt::format(" by id; the {} of that name has the id {}", what,
                           (**named)["id"].get<std::string>());
  else
    message += fmt::format("; {}.list shows what there is", what);
  return Error{404, "not_found", std::move(message), Json{{"id", id.substr(0, 200)}}};
}

Result<Json> get_object(Store& store, Domain domain, const std::string& id) {
  auto object = store.get(domain, id);
  if (!object) return tl::unexpected(object.error());
  if (!*object) return tl::unexpected(not_found(store, domain, id));
  return std::move(**object);
}

void add_get_and_list(UnitRegistry& registry, Store& store, Domain domain,
                      std::vector<Field> filters) {
  std::vector<std::string> filter_names;
  for (const auto& field : filters) filter_names.push_back(field.name);
  Unit get{name_of(domain),    "get", UnitKind::query, fmt::format("One {}", name_of(domain)),
           {id_field(domain)}, {}};
  get.run = [&store, domain](Call call, Done done) {
    done(get_object(store, domain, call.input["id"].get<std::string>()));
  };
  get.text = [&store, domain](const std::string& id) -> RowText {
    auto text = store.get_text(domain, id);
    return text ? *text : nullptr;
  };
  registry.add(std::move(get));

  Unit list{name_of(domain),
            "list",
            UnitKind::query,
            fmt::format("Every {}, oldest first", name_of(domain)),
            list_fields(std::move(filters)),
            {}};
  list.run = [&store, domain, filter_names](Call call, Done done) {
    auto page = store.list(domain, list_query(call.input, filter_names));
    if (!page) return done(tl::unexpected(page.error()));
    done(page_json(std::move(*page)));
  };
  registry.add(std::move(list));
}

Json stamped(const std::string& id, const Json& object) {
  Json whole = Json::object();
  whole["id"] = id;
  whole.update(object);
  const std::string now = now_rfc3339();
  whole["created_at"] = now;
  whole["updated_at"] = now;
  return whole;
}

void create_object(Store& store, Domain domain, Json object, Done done) {
  store.write(
      [domain, object = std::move(object)](Transaction& transaction) -> Result<Json> {
        auto id = transaction.new_id(domain);
        if (!id) return tl::unexpected(id.error());
        Json whole = stamped(*id, object);
        if (auto inserted = transaction.insert(domain, whole); !inserted)
          return tl::unexpected(inserted.error());
        return whole;
      },
      std::move(done));
}

void erase_object(Store& store, Domain domain, std::string id, MayErase may, Done done) {
  // The refusal of an unknown id may look names up, which a write job cannot: done before.
  if (auto known = store.get(domain, id); known && !*known)
    return done(tl::unexpected(not_found(store, domain, id)));
  store.write(
      [domain, id = std::move(id), may = std::move(may)](Transaction& transaction) -> Result<Json> {
        auto object = transaction.get(domain, id);
        if (!object) return tl::unexpected(object.error());
        if (!*object)
          return fail(404, "not_found", fmt::format("there is no {} '{}'", name_of(domain), id),
                      Json{{"id", id}});
        if (may)
          if (auto allowed = may(transaction, **object); !allowed)
            return tl::unexpected(allowed.error());
        if (auto erased = transaction.erase(domain, id); !erased)
          return tl::unexpected(erased.error());
        return Json{{"id", id}, {"deleted", true}};
      },
      std::move(done));
}
}  // namespace aima
