// Random identifiers from the kernel's generator: never repeats after a fork or a restart.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace aima {
std::uint32_t random_number();
std::string random_hex(std::size_t digits);  // lower case
}  // namespace aima
