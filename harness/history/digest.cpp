#include "harness/history/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include <fmt/format.h>

#include "harness/base/unique_fd.h"

namespace harness {
namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    // Fails only where memory is out or libcrypto has no SHA-256: nothing can be recorded then.
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
      throw std::bad_alloc();
    }
  }
  void add(const void* bytes, std::size_t count) {
    if (EVP_DigestUpdate(context_.get(), bytes, count) != 1) throw std::bad_alloc();
  }
  std::string text() {
    std::array<unsigned char, 32> raw{};
    if (EVP_DigestFinal_ex(context_.get(), raw.data(), nullptr) != 1) throw std::bad_alloc();
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(64);
    for (const unsigned char byte : raw) {
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, FreeDigest> context_;
};

}  // namespace

std::string sha256(std::string_view bytes) {
  Sha256 digest;
  digest.add(bytes.data(), bytes.size());
  return digest.text();
}

Result<FileDigest> digest_of_file(const std::filesystem::path& file) {
  const auto unreadable = [&] {
    return fail(ErrorKind::invalid,
                fmt::format("cannot read {}: {}", file.string(), std::strerror(errno)));
  };
  const UniqueFd descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!descriptor) return unreadable();
  Sha256 digest;
  FileDigest seen;
  std::vector<char> piece(1 << 16);
  while (true) {
    const ssize_t got = ::read(descriptor.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable();
    if (got == 0) break;
    digest.add(piece.data(), static_cast<std::size_t>(got));
    seen.bytes += got;
  }
  seen.sha256 = digest.text();
  return seen;
}

}  // namespace harness
