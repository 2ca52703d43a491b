#include "daemon/store/transaction.h"

#include <fmt/format.h>

#include "daemon/base/random.h"
#include "daemon/store/schema.h"
#include "daemon/store/table_sqlite.h"

namespace aima {
namespace {

Error not_found(Domain domain, const std::string& id) {
  return Error{404, "not_found", fmt::format("there is no {} '{}'", name_of(domain), id),
               Json{{"id", id}}};
}

Result<std::optional<Json>> copy(const MemoryRows::Object& object) {
  return object ? std::optional<Json>(*object) : std::nullopt;
}

}  // namespace

Result<std::optional<Json>> StoreImpl::Writer::get(Domain domain, const std::string& id) {
  if (in_memory(domain)) return copy(store_.memory(domain).working().get(id));
  if (auto ready = store_.begin(); !ready) return tl::unexpected(ready.error());
  return table_sqlite::get(store_.database_, domain, id);
}

Result<std::optional<Json>> StoreImpl::Writer::find_by_name(Domain domain, const std::string& name) {
  if (in_memory(domain)) return copy(store_.memory(domain).working().find_by_name(name));
  if (auto ready = store_.begin(); !ready) return tl::unexpected(ready.error());
  return table_sqlite::find_by_name(store_.database_, domain, name);
}

Result<Page> StoreImpl::Writer::list(Domain domain, const ListQuery& query) {
  if (in_memory(domain)) return store_.memory(domain).working().list(query);
  if (auto ready = store_.begin(); !ready) return tl::unexpected(ready.error());
  return table_sqlite::list(store_.database_, domain, query);
}

// One after the other from a random start: neighbours in the index of ids, so that a group of creates
// changes a page or two of it. Drawn one by one, each would change a page of its own, and more than
// half of what a group writes to the log would be those.
Result<std::string> StoreImpl::Writer::new_id(Domain domain) {
  auto& next = store_.next_ids_[static_cast<std::size_t>(domain)];
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (!next) next = random_number();
    std::string id = fmt::format("{}{:08x}", id_prefix_of(domain), (*next)++);
    auto taken = get(domain, id);
    if (!taken) return tl::unexpected(taken.error());
    if (!*taken) return id;
    next.reset();  // an earlier start's: what follows it may be taken as well
  }
  return fail(503, "ids_exhausted", fmt::format("no free id for a {}", name_of(domain)));
}

Result<void> StoreImpl::Writer::insert(Domain domain, const Json& object) {
  if (auto free = name_is_free(domain, object); !free) return free;
  const std::string id = object.at("id").get<std::string>();
  if (!in_memory(domain)) {
    if (auto ready = store_.begin(); !ready) return ready;
    return table_sqlite::insert(store_.database_, domain, object);
  }
  if (store_.memory(domain).working().get(id))
    return fail(409, "conflict", fmt::format("{} '{}' exists already", name_of(domain), id));
  store_.memory(domain).change(id, std::make_shared<const Json>(object));
  return {};
}

Result<void> StoreImpl::Writer::update(Domain domain, const Json& object) {
  if (auto free = name_is_free(domain, object); !free) return free;
  const std::string id = object.at("id").get<std::string>();
  if (!in_memory(domain)) {
    if (auto ready = store_.begin(); !ready) return ready;
    store_.changed_.push_back(id);
    auto changed = table_sqlite::update(store_.database_, domain, object);
    if (!changed) return tl::unexpected(changed.error());
    if (!*changed) return tl::unexpected(not_found(domain, id));
    return {};
  }
  if (!store_.memory(domain).working().get(id)) return tl::unexpected(not_found(domain, id));
  store_.memory(domain).change(id, std::make_shared<const Json>(object));
  return {};
}

Result<void> StoreImpl::Writer::erase(Domain domain, const std::string& id) {
  if (!in_memory(domain)) {
    if (auto ready = store_.begin(); !ready) return ready;
    store_.changed_.push_back(id);
    auto gone = table_sqlite::erase(store_.database_, domain, id);
    if (!gone) return tl::unexpected(gone.error());
    if (!*gone) return tl::unexpected(not_found(domain, id));
    return {};
  }
  if (!store_.memory(domain).working().get(id)) return tl::unexpected(not_found(domain, id));
  store_.memory(domain).change(id, nullptr);
  return {};
}

Result<void> StoreImpl::Writer::name_is_free(Domain domain, const Json& object) {
  const auto name = object.find("name");
  if (!table_of(domain).unique_names || name == object.end() || !name->is_string()) return {};
  auto holder = find_by_name(domain, name->get<std::string>());
  if (!holder) return tl::unexpected(holder.error());
  if (!*holder || (**holder)["id"] == object.at("id")) return {};
  const std::string id = (**holder)["id"].get<std::string>();
  return fail(409, "conflict",
              fmt::format("the name '{}' is taken by {} {}: choose another, or delete that one",
                          name->get<std::string>(), name_of(domain), id),
              Json{{"field", "name"}, {"id", id}});
}

}  // namespace aima
