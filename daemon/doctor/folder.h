// The data folder from outside: its lock, its modes, and a copy of the store in it. Reads only.
#pragma once
#include <filesystem>
#include <string>

#include "daemon/base/error.h"
#include "daemon/doctor/finding.h"

namespace aima::doctor {

// flock on the folder, as a daemon takes it; never makes or changes the folder.
class Lock {
 public:
  enum class State { taken, held_by_other, no_folder, refused };
  explicit Lock(const std::filesystem::path& folder);
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() { release(); }
  void release();
  State state() const { return state_; }
  const std::string& said() const { return said_; }  // who holds it, or why it was refused

 private:
  int descriptor_ = -1;
  State state_ = State::no_folder;
  std::string said_;
};

// Who keeps others from writing to the database in WAL mode; "" where nobody does.
std::string database_writer(const std::filesystem::path& folder);

Finding check_folder(const Subject& subject);

// aima.db and aima.db-wal (never the -shm) in a temporary folder, which goes with this object.
class StoreCopy {
 public:
  // `live`: a daemon writes meanwhile; copied again until nothing was checkpointed in between.
  // Errors: "no_store" (there is none), "no_room" (TMPDIR), "unreadable", "busy", "interrupted".
  static Result<StoreCopy> make(const std::filesystem::path& data_dir, bool live);
  StoreCopy(StoreCopy&& other) noexcept;
  StoreCopy& operator=(StoreCopy&&) = delete;
  ~StoreCopy();
  const std::filesystem::path& folder() const { return folder_; }
  // In texts about the copy: names the store itself.
  std::string of_original(std::string text) const;

 private:
  StoreCopy(std::filesystem::path folder, std::filesystem::path original);
  std::filesystem::path folder_, original_;
};

}  // namespace aima::doctor
