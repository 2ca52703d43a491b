// libFuzzer's side: AIMA_FUZZ_TARGET names what is fuzzed. Built by the preset `fuzz` only.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "daemon/fuzz/targets.h"

namespace {
const aima::fuzz::Target* chosen = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* name = std::getenv("AIMA_FUZZ_TARGET");
  chosen = aima::fuzz::find_target(name == nullptr ? "" : name);
  if (chosen != nullptr) return 0;
  std::fputs("AIMA_FUZZ_TARGET must be one of:", stderr);
  for (const auto& target : aima::fuzz::targets()) std::fprintf(stderr, " %s\n", target.name);
  std::exit(64);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
