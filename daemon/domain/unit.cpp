#include "daemon/domain/unit.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "daemon/domain/near_miss.h"

namespace aima {

Json plain_number(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? Json(whole) : Json(value);
}

void UnitRegistry::add(Unit unit) {
  if (find(unit.domain, unit.verb)) {
    std::fprintf(stderr, "aima: unit %s is registered twice\n", unit.name().c_str());
    std::abort();
  }
  units_.push_back(std::make_unique<Unit>(std::move(unit)));
}

void UnitRegistry::guard_commands(const UnitGuard& guard) {
  for (const auto& unit : units_)
    if (unit->kind == UnitKind::command && unit->takes_key) unit->guard = guard;
}

const Unit* UnitRegistry::find(std::string_view domain, std::string_view verb) const {
  for (const auto& unit : units_)
    if (unit->domain == domain && unit->verb == verb) return unit.get();
  return nullptr;
}

void UnitRegistry::execute(std::string_view domain, std::string_view verb, Call call,
                           Done done) const {
  const Unit* unit = find(domain, verb);
  if (!unit) {
    std::vector<std::string> names;
    for (const auto& known : units_) names.push_back(known->name());
    const std::string asked = std::string(domain) + "." + std::string(verb);
    std::string hint = did_you_mean(asked, names);
    if (hint.empty()) hint = "; system.units lists what there is";
    done(fail(404, "unknown_unit", "there is no unit '" + asked.substr(0, 200) + "'" + hint,
              Json{{"unit", asked.substr(0, 200)}}));
    return;
  }
  run(*unit, std::move(call), std::move(done));
}

void UnitRegistry::run(const Unit& unit, Call call, Done done) {
  auto input = check_input(unit.fields, std::move(call.input));
  if (!input) {
    done(tl::unexpected(std::move(input.error())));
    return;
  }
  call.input = std::move(*input);
  if (unit.guard && call.idempotency_key) return unit.guard(unit, std::move(call), std::move(done));
  unit.run(std::move(call), std::move(done));
}

}  // namespace aima
