// alert.create, list, get, delete: the rules; nothing evaluates them yet.
#include "daemon/domain/rules.h"
#include "daemon/units/common.h"
#include "daemon/units/units.h"

namespace aima {
void add_alert_units(const UnitContext& context) {
  Store& store = context.store;
  std::vector<Field> fields{string_field("name", "how people call it; unique", true),
                            string_field("condition", "e.g. gpu_temp > 80", true),
                            string_field("action", "what to do, e.g. notify"),
                            string_field("severity", "info, warning or critical")};
  fields[3].fallback = "warning";
  fields[3].allowed = {"info", "warning", "critical"};
  Unit create{"alert", "create", UnitKind::command, "Stores an alert rule", fields, {}};
  create.run = [&store](Call call, Done done) {
    const Json& input = call.input;
    if (auto good = check_name("name", input["name"].get<std::string>()); !good)
      return done(tl::unexpected(good.error()));
    Json alert{{"name", input["name"]},
               {"condition", input["condition"]},
               {"action", input.value("action", "")},
               {"severity", input["severity"]}};
    create_object(store, Domain::alert, std::move(alert), std::move(done));
  };
  context.registry.add(std::move(create));
  add_get_and_list(context.registry, store, Domain::alert,
                   {word_field("severity", "only of this severity",
                               {"info", "warning", "critical"})});
  Unit erase{
      "alert", "delete", UnitKind::command, "Deletes an alert rule", {id_field(Domain::alert)}, {}};
  erase.run = [&store](Call call, Done done) {
    erase_object(store, Domain::alert, call.input["id"].get<std::string>(), {}, std::move(done));
  };
  context.registry.add(std::move(erase));
}
}  // namespace aima
