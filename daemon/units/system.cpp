// system.info, system.units; and the one place that knows every domain's units.
#include "daemon/units/common.h"
#include "daemon/units/units.h"

namespace aima {
namespace {
const char* word_for(FieldType type) {
  switch (type) {
    case FieldType::string:
      return "string";
    case FieldType::integer:
      return "integer";
    case FieldType::number:
      return "number";
    case FieldType::boolean:
      return "boolean";
    case FieldType::object:
      return "object";
    case FieldType::string_list:
      return "list of strings";
    case FieldType::object_list:
      return "list of objects";
  }
  return "?";
}

Json describe(const Unit& unit) {
  Json fields = Json::array();
  for (const auto& field : unit.fields) {
    Json described{{"name", field.name},
                   {"type", word_for(field.type)},
                   {"required", field.required},
                   {"help", field.help}};
    if (!field.fallback.is_null()) described["default"] = field.fallback;
    if (!field.allowed.empty()) described["allowed"] = field.allowed;
    if (!field.aliases.empty()) described["aliases"] = field.aliases;
    if (field.type == FieldType::integer || field.type == FieldType::number) {
      if (field.has_minimum()) described["minimum"] = plain_number(field.minimum);
      if (field.has_maximum()) described["maximum"] = plain_number(field.maximum);
    }
    fields.push_back(std::move(described));
  }
  return Json{{"name", unit.name()},
              {"kind", unit.kind == UnitKind::query ? "query" : "command"},
              {"summary", unit.summary},
              {"fields", std::move(fields)}};
}
}  // namespace

void add_system_units(const UnitContext& context) {
  Unit info{"system", "info", UnitKind::query, "This daemon: version, stores, provider, limits",
            {},       {}};
  info.run = [make = context.system_info](Call, Done done) {
    done(make ? make() : Json::object());
  };
  context.registry.add(std::move(info));

  Unit units{"system",       "units", UnitKind::query, "Every unit and the fields it takes",
             list_fields(), {}};
  units.run = [&registry = context.registry](Call call, Done done) {
    const auto query = list_query(call.input, {});
    Page page;
    for (const auto& unit : registry.all()) {
      if (page.total++ >= query.offset && page.items.size() < query.limit)
        page.items.push_back(describe(*unit));
    }
    done(page_json(std::move(page)));
  };
  context.registry.add(std::move(units));
}
}  // namespace aima
