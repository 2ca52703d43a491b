// libFuzzer's side: AIMA_FUZZ_TARGET names what is fuzzed. Built by the preset `fuzz` only.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "harness/fuzz/targets.h"

namespace {
const harness::fuzz::Target* chosen = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* name = std::getenv("AIMA_FUZZ_TARGET");
  chosen = harness::fuzz::find_target(name == nullptr ? "" : name);
  if (chosen != nullptr) return 0;
  std::fputs("AIMA_FUZZ_TARGET must be one of:", stderr);
  for (const auto& target : harness::fuzz::targets()) {
    std::fprintf(stderr, " %s", target.name);
    for (const auto& seed : target.seeds) std::fprintf(stderr, " %s", seed.c_str());
    std::fputs("\n", stderr);
  }
  std::exit(64);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
