#include "harness/cli/prepare.h"

#include <fmt/format.h>

#include <ostream>

#include "harness/base/prng.h"
#include "harness/target/containment.h"

namespace harness {

tl::expected<Prepared, int> prepare(const CommandContext& context, const RunArguments& arguments,
                                    const std::string& doing, bool takes_screen,
                                    void (*before_provider)(const CommandContext&)) {
  const std::uint64_t seed = arguments.seed.value_or(entropy_seed() & 0xffffffffU);
  (takes_screen ? context.err : context.out) << "seed " << seed << '\n' << std::flush;
  SelectedSet set = select_scenarios(context, arguments.selection);
  if (!set.unreadable.empty()) {
    for (const auto& problem : set.unreadable) context.err << problem;
    return tl::unexpected(int{exit_usage});
  }
  if (set.scenarios.empty()) {
    context.err << fmt::format("nothing to {}: {} scenario files, none selected\n", doing, set.files);
    return tl::unexpected(int{exit_nothing_selected});
  }
  if (auto reaper = become_subreaper(); !reaper) {
    context.err << "aima-harness: " << to_string(reaper.error()) << '\n';
    return tl::unexpected(int{exit_error});
  }
  if (before_provider) before_provider(context);
  const std::string wanted = !arguments.require.empty() && arguments.provider.empty()
                                 ? arguments.require
                                 : arguments.provider;
  auto provider = find_provider(wanted, Limit::after(Milliseconds(5000), context.stop));
  if (!provider) {
    context.err << "aima-harness: " << to_string(provider.error()) << '\n';
    return tl::unexpected(int{exit_error});
  }
  const CommandContext beside{context.err,   context.err,          context.root,
                              context.runs,  false,                false,
                              context.width, context.command_line, context.stop,
                              context.interrupts};
  return Prepared{seed, std::move(set), std::move(*provider), takes_screen ? beside : context};
}
}  // namespace harness
