// SHA-256 (FIPS 180-4) of a text, as 64 lower-case hex digits. For fingerprints: the daemon links
// no crypto library, which would cost start-up time and memory for this one use.
#pragma once
#include <string>
#include <string_view>

namespace aima {
std::string sha256_hex(std::string_view text);
}
