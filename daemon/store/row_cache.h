// Rows as they are sent, by id: what a `get` costs without SQLite, a parse and a dump.
//
// Never older than the database: each answer is checked against the wal-index header, which SQLite
// changes with every commit, whoever commits (our writer thread, or another program). What is
// cached belongs to one header; a commit of our own carries it over to the next one without the
// rows it changed, any other change of the header empties it. Thread-safe.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/store/sqlite.h"
#include "daemon/store/store.h"

namespace aima {

// The wal-index header (sqlite.org/walformat.html, 2.2.1): 48 bytes in shared memory, twice. Equal
// headers mean that nothing was committed in between.
using WalState = std::array<std::uint32_t, 12>;

class RowCache {
 public:
  // The connection must be in WAL mode, have read once, and stay open until `unwatch`. Where its
  // header cannot be reached nothing is ever cached.
  void watch(sqlite::Database& database);
  void unwatch();

  // Nothing while a commit is being published. To be taken before the read that `put` keeps.
  std::optional<WalState> state();

  RowText find(Domain domain, const std::string& id);
  // Kept only if nothing was committed since `before`.
  void put(Domain domain, const std::string& id, RowText text, const std::optional<WalState>& before);
  // Our writer has committed; `before` was taken inside its transaction, `changed` are the ids of
  // the rows it updated or erased. To be called before anybody hears of the commit.
  void committed(const std::optional<WalState>& before, const std::vector<std::string>& changed);

 private:
  struct Row {
    Domain domain;
    RowText text;
  };
  // Two generations: when the young one is full it becomes the old one, and what is asked for
  // again moves back. So the rows that are asked for stay, without a list in order of use.
  static constexpr std::size_t most_bytes = 2 * 1024 * 1024;  // of each generation
  static constexpr std::size_t most_bytes_of_row = 64 * 1024;
  using Rows = std::unordered_map<std::string, Row>;
  std::optional<WalState> read_state() const;
  void keep(const std::string& id, Row row);
  void clear();

  std::mutex mutex_;  // guards what follows
  const volatile std::uint32_t* header_ = nullptr;
  WalState valid_for_{};
  Rows young_;
  Rows old_;
  std::size_t young_bytes_ = 0;
};

}  // namespace aima
