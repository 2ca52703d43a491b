#include "daemon/base/random.h"

#include <sys/random.h>

#include <array>
#include <random>

namespace aima {
std::uint32_t random_number() {
  std::uint32_t number = 0;
  if (getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number))
    number = std::random_device()();  // interrupted before the pool was ready
  return number;
}

std::string random_hex(std::size_t digits) {
  static constexpr char alphabet[] = "0123456789abcdef";
  std::string text;
  text.reserve(digits);
  std::array<unsigned char, 32> bytes{};
  while (text.size() < digits) {
    // At most 256 bytes are never cut short by a signal once the pool is ready (getrandom(2)).
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      std::random_device device;  // interrupted before the pool was ready
      for (auto& byte : bytes) byte = static_cast<unsigned char>(device());
    }
    for (std::size_t i = 0; i < bytes.size() && text.size() < digits; ++i)
      text.push_back(alphabet[bytes[i] & 15]);
  }
  return text;
}
}  // namespace aima
