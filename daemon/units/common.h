// What the units of several domains share: their usual fields, replies and refusals.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "daemon/domain/unit.h"
#include "daemon/store/store.h"

namespace aima {

Field string_field(std::string name, std::string help, bool required = false);
Field word_field(std::string name, std::string help, std::vector<std::string> allowed);
// `id`, also accepted as `<domain>_id` and as the other names given.
Field id_field(Domain domain, std::vector<std::string> more_aliases = {});
// `limit` and `offset` of every list.
std::vector<Field> list_fields(std::vector<Field> filters = {});
inline constexpr std::size_t most_items = 10000;

// Input of a list unit → query: `filters` names the input's fields that must be equal.
ListQuery list_query(const Json& input, const std::vector<std::string>& filters);
Json page_json(Page page);  // {"items":[…],"total":n}

// 404 naming the domain; if `id` is really a name, says whose id was meant.
Error not_found(Store& store, Domain domain, const std::string& id);

// The object, or 404.
Result<Json> get_object(Store& store, Domain domain, const std::string& id);

// Adds <domain>.get and <domain>.list, which are the same for every domain.
void add_get_and_list(UnitRegistry& registry, Store& store, Domain domain,
                      std::vector<Field> filters);

// Queues the creation of `object` (without id): draws the id, stamps the times, inserts, answers
// the whole object. Key order of the reply: id, then `object`'s, then the times.
void create_object(Store& store, Domain domain, Json object, Done done);
Json stamped(const std::string& id, const Json& object);

// Queues a deletion that answers {"id":…,"deleted":true}. `may` can refuse it inside the
// transaction.
using MayErase = std::function<Result<void>(Transaction&, const Json& object)>;
void erase_object(Store& store, Domain domain, std::string id, MayErase may, Done done);
}  // namespace aima
