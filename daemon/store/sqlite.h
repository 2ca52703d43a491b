// SQLite behind owners: a connection and its cached statements. Errors become Error with the HTTP
// status that means them: disk full 507, any other fault of the storage 503, a constraint 409.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/base/error.h"

namespace aima::sqlite {

Error error_from(sqlite3* handle, int code, std::string_view doing);

// Borrowed from a Database's cache for one execution; resets the statement when it goes.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
  Statement(Statement&& other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  void bind(int index, std::string_view text);  // the text must outlive the execution
  void bind(int index, std::int64_t value);
  void bind_null(int index);
  int step();  // SQLITE_ROW, SQLITE_DONE or an error code
  std::string text(int column) const;
  std::int64_t integer(int column) const;

 private:
  sqlite3_stmt* handle_;
};

class Database {
 public:
  Database() = default;
  static Result<Database> open(const std::string& path, int flags, int busy_timeout_ms);
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database() { close(); }

  Result<void> run(const char* sql);                    // statements without results worth reading
  Result<void> execute(const std::string& sql);         // one of those, prepared once and kept
  Result<Statement> statement(const std::string& sql);  // prepared once, kept
  Result<std::int64_t> number(const std::string& sql);  // first column of the first row
  Result<std::string> text(const std::string& sql);

  Error error(int code, std::string_view doing) const { return error_from(handle_, code, doing); }
  sqlite3* handle() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }
  // Finalizes the cached statements first: else the connection would stay open as a zombie.
  void close();

 private:
  sqlite3* handle_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};
}  // namespace aima::sqlite
