// Walks the frames by their salts; checksums are SQLite's to check.
#include "harness/prove/wal.h"

#include <array>
#include <cstring>
#include <fstream>

namespace harness {
namespace {

constexpr std::uintmax_t header_bytes = 32;
constexpr std::uintmax_t frame_header_bytes = 24;

std::uint32_t big_endian(const char* at) {
  std::array<unsigned char, 4> bytes{};
  std::memcpy(bytes.data(), at, bytes.size());
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

}  // namespace

WalLayout read_wal(const std::string& file) {
  WalLayout layout;
  std::ifstream stream(file, std::ios::binary);
  std::array<char, header_bytes> header{};
  if (!stream.read(header.data(), header.size())) return layout;
  stream.seekg(0, std::ios::end);
  layout.bytes = static_cast<std::uintmax_t>(stream.tellg());
  const std::uint32_t page = big_endian(header.data() + 8);
  if (page < 512 || page > 65536) return layout;
  const std::uintmax_t frame = frame_header_bytes + page;
  for (std::uintmax_t at = header_bytes; at + frame <= layout.bytes; at += frame) {
    std::array<char, frame_header_bytes> head{};
    stream.seekg(static_cast<std::streamoff>(at));
    if (!stream.read(head.data(), head.size())) break;
    if (std::memcmp(head.data() + 8, header.data() + 16, 8) != 0) break;  // the two salts
    if (big_endian(head.data() + 4) != 0) layout.commits.push_back(at + frame);
  }
  return layout;
}
}  // namespace harness
