// The copy of the store. Bytes only: SQLite never opens the original, so that neither its log nor
// its wal-index changes, and no lock of ours is ever in a daemon's way.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "daemon/doctor/folder.h"
#include "daemon/store/data_folder.h"

namespace aima::doctor {
namespace fs = std::filesystem;
namespace {

constexpr int kTries = 5;
constexpr std::int64_t kSpare = 16 << 20;  // for the wal-index and what SQLite writes beside

class File {
 public:
  File(const fs::path& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

tl::unexpected<Error> unreadable(const fs::path& path, const char* doing) {
  return fail(503, "unreadable",
              fmt::format("{} cannot be {}: {}", path.string(), doing, std::strerror(errno)));
}

// Holes stay holes: a log of a gigabyte may be mostly one.
Result<void> copy_bytes(const fs::path& from, const fs::path& to) {
  const File in(from, O_RDONLY | O_NOATIME);
  const File again(from, in ? O_PATH : O_RDONLY);  // O_NOATIME is for the owner and root only
  const int source = in ? in.get() : again.get();
  if (source < 0) return unreadable(from, "read");
  const File out(to, O_WRONLY | O_CREAT | O_TRUNC);
  if (!out) return unreadable(to, "made");
  struct stat facts {};
  if (::fstat(source, &facts) != 0) return unreadable(from, "read");
  std::array<char, 1 << 16> buffer{};
  for (off_t at = 0; at < facts.st_size;) {
    if (interrupted() != 0) return fail(0, "interrupted", "interrupted");
    const off_t data = ::lseek(source, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // a hole to the end
    if (data > at) at = data;
    const ssize_t got = ::pread(source, buffer.data(), buffer.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(from, "read");
    if (got == 0) break;
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = ::pwrite(out.get(), buffer.data() + done,
                                   static_cast<std::size_t>(got - done), at + done);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) {
        return fail(507, errno == ENOSPC || errno == EDQUOT ? "no_room" : "unreadable",
                    fmt::format("{} cannot be written: {}", to.string(), std::strerror(errno)));
      }
      done += put;
    }
    at += got;
  }
  if (::ftruncate(out.get(), facts.st_size) != 0) return unreadable(to, "written");
  return {};
}

// Changes whenever the database file itself was written: a checkpoint, or a log begun anew.
struct State {
  timespec modified{};
  std::array<char, 32> log_head{};
  bool operator==(const State& other) const {
    return modified.tv_sec == other.modified.tv_sec && modified.tv_nsec == other.modified.tv_nsec &&
           log_head == other.log_head;
  }
};

State state_of(const fs::path& folder) {
  State state;
  struct stat facts {};
  if (::stat(database_path(folder).c_str(), &facts) == 0) state.modified = facts.st_mtim;
  const File log(wal_path(folder), O_RDONLY);
  if (log) static_cast<void>(!::pread(log.get(), state.log_head.data(), state.log_head.size(), 0));
  return state;
}

std::int64_t blocks_of(const fs::path& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? static_cast<std::int64_t>(facts.st_blocks) * 512 : 0;
}

Result<void> copy_both(const fs::path& from, const fs::path& to) {
  if (auto done = copy_bytes(database_path(from), database_path(to)); !done) return done;
  std::error_code error;
  if (!fs::exists(wal_path(from), error)) {
    fs::remove(wal_path(to), error);
    return {};
  }
  return copy_bytes(wal_path(from), wal_path(to));
}
}  // namespace

StoreCopy::StoreCopy(fs::path folder, fs::path original)
    : folder_(std::move(folder)), original_(std::move(original)) {}
StoreCopy::StoreCopy(StoreCopy&& other) noexcept
    : folder_(std::exchange(other.folder_, {})), original_(std::move(other.original_)) {}
StoreCopy::~StoreCopy() {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

std::string StoreCopy::of_original(std::string text) const {
  const std::string copied = folder_.string();
  for (std::size_t at = text.find(copied); at != std::string::npos; at = text.find(copied, at)) {
    text.replace(at, copied.size(), original_.string());
    at += original_.string().size();
  }
  return text;
}

Result<StoreCopy> StoreCopy::make(const fs::path& data_dir, bool live) {
  std::error_code error;
  const bool has_database = fs::exists(database_path(data_dir), error);
  if (!has_database && fs::is_symlink(database_path(data_dir), error))
    return fail(503, "unreadable", fmt::format("{} is a link to something that cannot be reached",
                                               database_path(data_dir).string()));
  const bool has_log = fs::exists(wal_path(data_dir), error);
  if (!has_database && !has_log) return fail(404, "no_store", "there is no aima.db");
  const fs::path temporary = fs::temp_directory_path(error);
  std::string pattern = (error ? fs::path("/tmp") : temporary) / "aima-doctor-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    return fail(507, "no_room", fmt::format("no temporary folder can be made in {}: {}",
                                            temporary.string(), std::strerror(errno)));
  }
  StoreCopy copy(pattern, data_dir);
  const std::int64_t needed =
      blocks_of(database_path(data_dir)) + blocks_of(wal_path(data_dir)) + kSpare;
  struct statvfs room {};
  if (::statvfs(pattern.c_str(), &room) == 0) {
    const auto there = static_cast<std::int64_t>(room.f_bavail) *
                       static_cast<std::int64_t>(room.f_frsize);
    if (there < needed) {
      return fail(507, "no_room",
                  fmt::format("a copy needs {} MiB, and {} has {} MiB", needed >> 20,
                              temporary.string(), there >> 20));
    }
  }
  if (!has_database) {  // judged as what it is: a log without its database
    if (auto done = copy_bytes(wal_path(data_dir), wal_path(copy.folder())); !done) {
      return tl::unexpected(done.error());
    }
    return copy;
  }
  for (int i = 0; i < kTries; ++i) {
    const State before = state_of(data_dir);
    if (auto done = copy_both(data_dir, copy.folder()); !done) return tl::unexpected(done.error());
    if (!live || state_of(data_dir) == before) return copy;
  }
  return fail(503, "busy", "the daemon checkpointed during each of five copies");
}
}  // namespace aima::doctor
