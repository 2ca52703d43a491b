// The table of the runner's own steps: one row each. And the whole catalogue.
#include <array>

#include "harness/faults/fault.h"
#include "harness/probes/probe.h"
#include "harness/run/catalog.h"
#include "harness/run/rows.h"

namespace harness {
namespace {

const std::array<StepKind, 17> table = {{
    {start_shape, execute_start},
    {stop_shape, execute_stop},
    {restart_shape, execute_restart},
    {signal_shape, execute_signal, true},
    {pause_shape, execute_pause, true},
    {resume_shape, execute_resume, true},
    {await_shape, execute_await, true},
    {background_shape, execute_background},
    {workload_shape, execute_workload},
    {join_shape, execute_join},
    {parallel_shape, execute_parallel},
    {repeat_shape, execute_repeat, true},
    {fault_shape, execute_fault, true},
    {heal_shape, execute_heal, true},
    {snapshot_shape, execute_snapshot},
    {compare_shape, execute_compare},
    {observe_shape, execute_observe, true},
}};

}  // namespace

std::span<const StepKind> step_kinds() { return table; }

const StepKind* find_step_kind(std::string_view name) {
  static const std::array<std::string, table.size()> names = [] {
    std::array<std::string, table.size()> all;
    for (std::size_t index = 0; index < table.size(); ++index) all[index] = table[index].shape().name;
    return all;
  }();
  for (std::size_t index = 0; index < table.size(); ++index) {
    if (names[index] == name) return &table[index];
  }
  return nullptr;
}

StepCatalog full_catalog() {
  StepCatalog catalog;
  for (const auto& kind : table) catalog.add_step(kind.shape());
  for (const auto& probe : probes()) catalog.add_step(probe.shape());
  for (const auto& fault : faults()) catalog.add_fault(fault.shape());
  return catalog;
}
}  // namespace harness
