// API keys on their way from files and the environment into the configuration. No error and no
// warning of this part shows a key or a piece of one.
#pragma once
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace aima {

inline constexpr std::size_t most_key_bytes = 256;
inline constexpr std::size_t short_key_bytes = 16;  // below this a key can be guessed: a warning

// Appends a copy of `keys`. `where` begins the error ("AIMA_API_KEYS"). A key is 1 to 256 visible
// ASCII characters without blanks, since it travels in a header.
tl::expected<void, std::string> add_api_keys(std::vector<std::string>& target,
                                             const std::vector<std::string>& keys,
                                             const std::string& where);

// One key a line; blank lines and lines that begin with '#' are passed over. The file must be as
// private as check_private says.
tl::expected<std::vector<std::string>, std::string> read_key_file(
    const std::filesystem::path& path);

// "one,two" → keys.
std::vector<std::string> split_keys(const std::string& text);

// OpenSSH's rule for private keys: a file of this user may be open to nobody else (0600); one of
// another user (root, for a service user) may be readable by our group, never by everyone (0640).
// Nothing: it is private enough. Else a sentence with the chmod that mends it.
std::optional<std::string> check_private(const std::filesystem::path& path);

}  // namespace aima
