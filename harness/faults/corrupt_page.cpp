// corrupt-page: the header of one page of the database is damaged with the daemon down. Most flipped
// bytes are invisible to SQLite's own checks (14 of 15 measured), so the damage counts only once a
// quick check of a copy has seen it.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "harness/clients/sqlite.h"
#include "harness/faults/common.h"
#include "harness/faults/rows.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> endings{"", "-wal", "-shm"};
constexpr off_t most_pages_tried = 64;

StepShape shape_of_corrupt_page() {
  return {"corrupt-page",
          "fault",
          "Damages the header of a database page with the daemon down; proof: a quick check of a copy "
          "sees it. Healed from a copy made before.",
          "page",
          {{"page", ValueKind::integer, false, "which page, from 1 (the first whose damage is seen)"},
           {"database", ValueKind::text, false, "the file (the target's first)"}},
          false,
          false,
          "fault: {corrupt-page: {}}"};
}

Result<void> copy_set(const fs::path& from, const fs::path& to) {
  for (const char* ending : endings) {
    const fs::path source = from.string() + ending, goal = to.string() + ending;
    std::error_code error;
    if (!fs::exists(source)) {
      fs::remove(goal, error);  // what was not there at the copy is not there after the undo
      continue;
    }
    fs::copy_file(source, goal, fs::copy_options::overwrite_existing, error);
    if (error)
      return fail(ErrorKind::environment, "cannot copy " + source.string() + " to " +
                                              goal.string() + ": " + error.message());
  }
  return {};
}

class CorruptPage : public PreparedFault {
 public:
  CorruptPage(Session& session, std::string database, std::int64_t page)
      : session_(session), database_(std::move(database)), page_(page) {
    copy_ = (session.workspace->scratch() / "before-corrupt-page" /
             fs::path(database_).filename()).string();
  }

  Json undo() const override {
    return {{"fault", "corrupt-page"}, {"database", database_}, {"copy", copy_}};
  }

  Result<Json> strike(const Limit& limit) override {
    if (auto down = daemon_is_down(session_, "corrupt-page"); !down)
      return tl::unexpected(down.error());
    std::error_code error;
    fs::create_directories(fs::path(copy_).parent_path(), error);
    if (auto copied = copy_set(database_, copy_); !copied) return tl::unexpected(copied.error());
    file_.reset(::open(database_.c_str(), O_RDWR | O_CLOEXEC));
    std::array<unsigned char, 100> header{};
    if (!file_ || ::pread(file_.get(), header.data(), header.size(), 0) !=
                      static_cast<ssize_t>(header.size()))
      return fail(ErrorKind::environment, "cannot read the header of " + database_);
    const off_t written = header[16] << 8 | header[17];
    const off_t page_size = written == 1 ? 65536 : written;  // 65536 does not fit its two bytes
    if (page_size < 512) return fail(ErrorKind::environment, database_ + " is no SQLite database");
    const off_t pages = ::lseek(file_.get(), 0, SEEK_END) / page_size;
    const off_t first = page_ > 0 ? page_ : std::min<off_t>(2, pages);
    const off_t last = page_ > 0 ? page_ : std::min(pages, most_pages_tried);
    for (off_t page = first; page <= last && page <= pages; ++page) {
      auto seen = damage(page, page_size, limit);
      if (!seen) return seen;
      if (!seen->is_null()) return seen;
    }
    return fail(ErrorKind::environment,
                "no damage to a page of " + database_ + " (" + std::to_string(pages) +
                    " pages) is seen by a quick check; newer copies of the pages may be in its WAL");
  }

  Result<Json> heal(const Limit& limit) override {
    if (session_.daemon_running())
      return Json{{"restored", false}, {"why", "the daemon has the database open"}};
    return restore(undo(), limit);
  }

  static Result<Json> restore(const Json& undo, const Limit&) {
    const std::string copy = undo.value("copy", ""), database = undo.value("database", "");
    if (copy.empty() || !fs::exists(copy)) return Json{{"restored", false}, {"why", "no copy"}};
    if (auto copied = copy_set(copy, database); !copied) return tl::unexpected(copied.error());
    return Json{{"restored", true}, {"database", database}};
  }

 private:
  // Null: the damage was not seen, and was taken back.
  Result<Json> damage(off_t page, off_t page_size, const Limit& limit) {
    const off_t at = (page - 1) * page_size;
    std::array<unsigned char, 8> before{}, after{};
    if (::pread(file_.get(), before.data(), before.size(), at) != 8)
      return fail(ErrorKind::environment, "cannot read page " + std::to_string(page));
    for (std::size_t byte = 0; byte < after.size(); ++byte)
      after[byte] = static_cast<unsigned char>(~before[byte]);
    if (::pwrite(file_.get(), after.data(), after.size(), at) != 8 || ::fsync(file_.get()) != 0)
      return fail(ErrorKind::environment,
                  "cannot write to " + database_ + ": " + ::strerrordesc_np(errno));
    const SqliteLook look{database_, session_.workspace->scratch(), false};
    auto check = sqlite_integrity(look, false, limit);
    if (check && !check->value("ok", true))
      return Json{{"page", page}, {"offset", at}, {"bytes", 8}, {"check", *check}};
    const bool taken_back = ::pwrite(file_.get(), before.data(), before.size(), at) == 8;
    if (!check) return check;
    if (!taken_back) return fail(ErrorKind::environment, "cannot write to " + database_);
    return Json();
  }

  Session& session_;
  std::string database_, copy_;
  std::int64_t page_;
  UniqueFd file_;
};

Result<std::unique_ptr<PreparedFault>> prepare_corrupt_page(Session& session,
                                                            const Arguments& arguments) {
  auto database = database_of(session, arguments, "corrupt-page");
  if (!database) return tl::unexpected(database.error());
  return std::make_unique<CorruptPage>(session, *database, arguments.integer_or("page", 0));
}
}  // namespace

const Fault corrupt_page_fault{shape_of_corrupt_page, prepare_corrupt_page, CorruptPage::restore};
}  // namespace harness
