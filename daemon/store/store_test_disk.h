// A disk that can be cut off: an SQLite VFS over the real one. It counts what changes files, ends
// the process by SIGKILL at the call it is told, and can take back first what was not yet synced,
// which is what a power cut may do. Or it answers such calls with an error from one on.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace aima {

class CutDisk {
 public:
  // What becomes of the unsynced writes: all stay, none stays, every second one stays.
  enum class Unsynced { kept, lost, torn };

  // From now on every connection of this process uses it.
  static void install() {
    static sqlite3_vfs vfs;
    real() = sqlite3_vfs_find(nullptr);
    vfs = *real();
    vfs.zName = "cut-disk";
    vfs.szOsFile = static_cast<int>(sizeof(File)) + real()->szOsFile;
    vfs.xOpen = [](sqlite3_vfs*, const char* name, sqlite3_file* raw, int flags, int* out) {
      auto* file = new (raw) File;
      file->inner = reinterpret_cast<sqlite3_file*>(file + 1);
      file->base.pMethods = nullptr;
      const int code = real()->xOpen(real(), name, file->inner, flags, out);
      if (file->inner->pMethods == nullptr) return code;
      file->name = name != nullptr ? name : "";
      static const sqlite3_io_methods methods = make_methods();
      file->base.pMethods = &methods;
      return code;
    };
    vfs.xDelete = [](sqlite3_vfs*, const char* name, int sync) {
      if (const int code = change()) return code;
      {
        const std::lock_guard lock(guard());
        journal().erase(name);
      }
      return real()->xDelete(real(), name, sync);
    };
    sqlite3_vfs_register(&vfs, 1);
  }
  static void cut_at(int call, Unsynced then) {
    state() = {0, call, -1, then};
  }
  static void fail_from(int call) { state() = {0, -1, call, Unsynced::kept}; }

 private:
  struct State {
    int count = 0, cut = -1, fail = -1;
    Unsynced then = Unsynced::kept;
  };
  struct Undo {
    sqlite3_int64 at;
    std::string before;   // the bytes there were
    sqlite3_int64 size;   // of the file
  };
  struct File {
    sqlite3_file base;
    sqlite3_file* inner;
    std::string name;
  };

  static sqlite3_vfs*& real() {
    static sqlite3_vfs* vfs = nullptr;
    return vfs;
  }
  static std::mutex& guard() {  // of state() and journal()
    static std::mutex mutex;
    return mutex;
  }
  static State& state() {
    static State value;
    return value;
  }
  static std::map<std::string, std::vector<Undo>>& journal() {
    static std::map<std::string, std::vector<Undo>> unsynced;
    return unsynced;
  }
  static File* own(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static sqlite3_file* in(sqlite3_file* file) { return own(file)->inner; }

  // Called before each change; the call itself then does not happen.
  static int change() {
    const std::lock_guard lock(guard());
    State& now = state();
    ++now.count;
    if (now.cut > 0 && now.count >= now.cut) cut();
    return now.fail > 0 && now.count >= now.fail ? SQLITE_IOERR_WRITE : SQLITE_OK;
  }
  [[noreturn]] static void cut() {
    for (auto& [name, writes] : journal()) {
      const int file = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
      bool take_back = true;
      for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
        if (state().then == Unsynced::torn) take_back = !take_back;
        if (state().then == Unsynced::kept || !take_back) continue;
        (void)!::pwrite(file, write->before.data(), write->before.size(), write->at);
        if (state().then == Unsynced::lost) (void)!::ftruncate(file, write->size);
      }
      ::close(file);
    }
    ::kill(::getpid(), SIGKILL);
    ::pause();
    ::_exit(1);
  }
  static void remember(File* file, sqlite3_int64 at, int bytes) {
    const std::lock_guard lock(guard());
    if (state().cut < 0) return;
    Undo undo{at, {}, 0};
    file->inner->pMethods->xFileSize(file->inner, &undo.size);
    const auto there = std::clamp<sqlite3_int64>(undo.size - at, 0, bytes);
    undo.before.resize(static_cast<std::size_t>(there));
    if (there > 0)
      file->inner->pMethods->xRead(file->inner, undo.before.data(), static_cast<int>(there), at);
    journal()[file->name].push_back(std::move(undo));
  }

  static sqlite3_io_methods make_methods() {
    sqlite3_io_methods methods{};
    methods.iVersion = 2;
    methods.xClose = [](sqlite3_file* file) {
      const int code = in(file)->pMethods->xClose(in(file));
      own(file)->name.~basic_string();
      return code;
    };
    methods.xRead = [](sqlite3_file* file, void* data, int bytes, sqlite3_int64 at) {
      return in(file)->pMethods->xRead(in(file), data, bytes, at);
    };
    methods.xWrite = [](sqlite3_file* file, const void* data, int bytes, sqlite3_int64 at) {
      if (const int code = change()) return code;
      remember(own(file), at, bytes);
      return in(file)->pMethods->xWrite(in(file), data, bytes, at);
    };
    methods.xTruncate = [](sqlite3_file* file, sqlite3_int64 size) {
      if (const int code = change()) return code;
      return in(file)->pMethods->xTruncate(in(file), size);
    };
    methods.xSync = [](sqlite3_file* file, int flags) {
      if (const int code = change()) return code;
      {
        const std::lock_guard lock(guard());
        journal().erase(own(file)->name);
      }
      return in(file)->pMethods->xSync(in(file), flags);
    };
    add_plain_methods(methods);
    return methods;
  }
  static void add_plain_methods(sqlite3_io_methods& methods) {
    methods.xFileSize = [](sqlite3_file* file, sqlite3_int64* size) {
      return in(file)->pMethods->xFileSize(in(file), size);
    };
    methods.xLock = [](sqlite3_file* file, int level) {
      return in(file)->pMethods->xLock(in(file), level);
    };
    methods.xUnlock = [](sqlite3_file* file, int level) {
      return in(file)->pMethods->xUnlock(in(file), level);
    };
    methods.xCheckReservedLock = [](sqlite3_file* file, int* held) {
      return in(file)->pMethods->xCheckReservedLock(in(file), held);
    };
    methods.xFileControl = [](sqlite3_file* file, int op, void* arg) {
      return in(file)->pMethods->xFileControl(in(file), op, arg);
    };
    methods.xSectorSize = [](sqlite3_file* file) { return in(file)->pMethods->xSectorSize(in(file)); };
    methods.xDeviceCharacteristics = [](sqlite3_file* file) {
      return in(file)->pMethods->xDeviceCharacteristics(in(file));
    };
    methods.xShmMap = [](sqlite3_file* file, int page, int size, int extend, void volatile** out) {
      return in(file)->pMethods->xShmMap(in(file), page, size, extend, out);
    };
    methods.xShmLock = [](sqlite3_file* file, int offset, int count, int flags) {
      return in(file)->pMethods->xShmLock(in(file), offset, count, flags);
    };
    methods.xShmBarrier = [](sqlite3_file* file) { in(file)->pMethods->xShmBarrier(in(file)); };
    methods.xShmUnmap = [](sqlite3_file* file, int erase) {
      return in(file)->pMethods->xShmUnmap(in(file), erase);
    };
  }
};
}  // namespace aima
