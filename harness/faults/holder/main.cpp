// Holds a SQLite database until it is killed, and says on its output what it holds.
//   aima-hold-database reader FILE   a read transaction: the WAL cannot be checkpointed past it
//   aima-hold-database lock FILE     SQLite's EXCLUSIVE lock; beside a running daemon its write lock
// Exit 3: somebody else holds the lock that was wanted. Exit 1: anything else, told on stderr.
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace {

// https://www.sqlite.org/fileformat2.html and os_unix.c: PENDING, RESERVED and the 510 SHARED bytes of
// the database; byte 120 of the -shm file is WAL_WRITE_LOCK.
constexpr off_t pending_byte = 0x40000000, locked_bytes = 512;
constexpr off_t wal_write_byte = 120;

int hold_lock(const std::string& file) {
  const auto lock = [](int fd, off_t start, off_t length) {
    struct flock wanted = {};
    wanted.l_type = F_WRLCK;
    wanted.l_whence = SEEK_SET;
    wanted.l_start = start;
    wanted.l_len = length;
    return fd >= 0 && ::fcntl(fd, F_SETLK, &wanted) == 0;
  };
  const int database = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (database < 0) {
    std::fprintf(stderr, "cannot open %s: %s\n", file.c_str(), std::strerror(errno));
    return 1;
  }
  if (lock(database, pending_byte, locked_bytes)) {
    std::printf("holding exclusive\n");
  } else {
    // A running daemon keeps SHARED for as long as it runs: its writes can be locked out, no more.
    const int shm = ::open((file + "-shm").c_str(), O_RDWR | O_CLOEXEC);
    if (!lock(shm, wal_write_byte, 1)) {
      std::fprintf(stderr, "the lock is held by somebody else: %s\n", std::strerror(errno));
      return 3;
    }
    std::printf("holding write\n");
  }
  return 0;
}

int hold_reader(const std::string& file) {
  sqlite3* connection = nullptr;
  sqlite3_stmt* statement = nullptr;
  const bool reads =
      sqlite3_open_v2(file.c_str(), &connection, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK &&
      sqlite3_exec(connection, "BEGIN", nullptr, nullptr, nullptr) == SQLITE_OK &&
      sqlite3_prepare_v2(connection, "SELECT count(*) FROM sqlite_schema", -1, &statement,
                         nullptr) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW;
  if (!reads) {
    std::fprintf(stderr, "cannot read %s: %s\n", file.c_str(), sqlite3_errmsg(connection));
    return 1;
  }
  sqlite3_finalize(statement);  // the transaction, and with it the snapshot, stays open
  std::printf("holding reader\n");
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc == 3 ? argv[1] : "";
  if (how != "reader" && how != "lock") {
    std::fprintf(stderr, "usage: aima-hold-database reader|lock FILE\n");
    return 64;
  }
  const int status = how == "reader" ? hold_reader(argv[2]) : hold_lock(argv[2]);
  if (status != 0) return status;
  std::fflush(stdout);
  while (true) ::pause();  // the kernel drops every lock when this is killed
}
