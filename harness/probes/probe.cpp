// The table of probes: one row each.
#include "harness/probes/probe.h"

#include "harness/probes/rows.h"

namespace harness {
namespace {
const Probe table[] = {
    {http_shape, http_look},         {cli_shape, cli_look},
    {shell_shape, shell_look},       {sqlite_shape, sqlite_look},
    {containers_shape, containers_look}, {files_shape, files_look},
    {process_shape, process_look},   {log_shape, log_look},
};
}  // namespace

std::span<const Probe> probes() { return table; }

const Probe* find_probe(std::string_view name) {
  for (const auto& probe : table) {
    if (probe.shape().name == name) return &probe;
  }
  return nullptr;
}
}  // namespace harness
