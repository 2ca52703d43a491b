// schema: for editors, `# yaml-language-server: $schema=…`.
#include "harness/scenario/schema.h"

#include <ostream>

#include "harness/cli/commands.h"
#include "harness/run/catalog.h"

namespace harness {
int command_schema(const CommandContext& context) {
  context.out << scenario_schema(full_catalog()).dump(2) << '\n';
  return exit_pass;
}
}  // namespace harness
