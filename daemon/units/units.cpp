#include "daemon/units/units.h"

namespace aima {
void add_all_units(const UnitContext& context) {
  add_model_units(context);
  add_service_units(context);
  add_engine_units(context);
  add_catalog_units(context);
  add_skill_units(context);
  add_pipeline_units(context);
  add_alert_units(context);
  add_system_units(context);
}
}  // namespace aima
