// See api_keys.h.
#include "daemon/config/api_keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace aima {
namespace {

constexpr std::size_t most_file_bytes = 1024 * 1024;
constexpr std::size_t most_keys = 1000;  // each is compared with every request's

std::optional<std::string> judge(const std::filesystem::path& path, const struct stat& facts) {
  const mode_t wrong = facts.st_uid == geteuid() ? 077 : 027;  // group may read another's file
  if ((facts.st_mode & wrong) == 0) return std::nullopt;
  std::array<char, 8> mode{};
  std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(facts.st_mode & 07777));
  return path.string() + " holds API keys, and its mode " + mode.data() +
         " lets others at them: chmod " + (facts.st_uid == geteuid() ? "600 " : "640 ") +
         path.string();
}

std::optional<std::string> fault_of(const std::string& key) {
  if (key.empty()) return "is empty";
  if (key.size() > most_key_bytes) {
    return "is longer than " + std::to_string(most_key_bytes) + " characters";
  }
  if (!std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7f; })) {
    return "has a blank or a character other than visible ASCII";
  }
  return std::nullopt;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

tl::expected<void, std::string> add_api_keys(std::vector<std::string>& target,
                                             const std::vector<std::string>& keys,
                                             const std::string& where) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (const auto fault = fault_of(keys[i])) {
      return tl::unexpected(where + ": key " + std::to_string(i + 1) + " " + *fault +
                            "; a key is up to 256 visible ASCII characters (openssl rand -hex 32 "
                            "makes one)");
    }
    if (std::find(target.begin(), target.end(), keys[i]) == target.end()) {
      target.push_back(keys[i]);
    }
  }
  if (target.size() > most_keys) {
    return tl::unexpected(where + ": more than " + std::to_string(most_keys) + " keys");
  }
  return {};
}

tl::expected<std::vector<std::string>, std::string> read_key_file(
    const std::filesystem::path& path) {
  const auto failed = [&path](const std::string& why) {
    return tl::unexpected("the key file " + path.string() + " cannot be read: " + why);
  };
  // O_NONBLOCK: a pipe in its place is refused below, not waited for.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return failed(std::strerror(errno));
  struct stat facts {};
  std::string text;
  std::string why;
  if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    why = "it is not a file";
  } else {
    std::array<char, 4096> block{};
    ssize_t count = 0;
    while (text.size() <= most_file_bytes &&
           (count = read(descriptor, block.data(), block.size())) > 0) {
      text.append(block.data(), static_cast<std::size_t>(count));
    }
    if (count < 0) why = std::strerror(errno);
    if (text.size() > most_file_bytes) why = "it is over 1 MiB";
  }
  close(descriptor);
  if (!why.empty()) return failed(why);
  if (const auto open_to_others = judge(path, facts)) return tl::unexpected(*open_to_others);
  std::vector<std::string> keys;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    std::string line = trimmed(text.substr(begin, end - begin));
    if (!line.empty() && line.front() != '#') keys.push_back(std::move(line));
    begin = end + 1;
  }
  if (keys.empty()) return failed("there is no key in it");
  return keys;
}

std::vector<std::string> split_keys(const std::string& text) {
  std::vector<std::string> keys;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    std::string key = trimmed(text.substr(begin, end - begin));
    if (!key.empty()) keys.push_back(std::move(key));
    begin = end + 1;
  }
  return keys;
}

std::optional<std::string> check_private(const std::filesystem::path& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) return path.string() + ": " + std::strerror(errno);
  return judge(path, facts);
}

}  // namespace aima
