// The one source of chance: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). Same seed, same sequence.
#pragma once
#include <cstdint>

namespace harness {
class Prng {
 public:
  explicit Prng(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound); bound > 0

 private:
  std::uint64_t state_;
};
std::uint64_t entropy_seed();  // a fresh seed from the kernel
}  // namespace harness
