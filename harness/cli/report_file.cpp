#include "harness/cli/report_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace harness {

Result<ReportFile> ReportFile::open(const std::string& format, const std::string& path) {
  ReportFile report;
  report.path_ = path;
  if (path == "-") return report;
  report.file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (report.file_) return report;
  const int why = errno;
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code ignored;
  if (why == ENOENT && !folder.empty() && !std::filesystem::exists(folder, ignored)) {
    return fail(ErrorKind::usage, fmt::format("--report {}={}: the folder {} is not there: make it first",
                                              format, path, folder.string()));
  }
  return fail(ErrorKind::usage, fmt::format("--report {}={}: the file cannot be written: {}", format,
                                            path, std::strerror(why)));
}

Result<void> ReportFile::write(const std::string& text) const {
  std::size_t written = 0;
  bool sound = ::ftruncate(file_.get(), 0) == 0 || errno == EINVAL;  // a pipe cannot be cut
  while (sound && written < text.size()) {
    const ssize_t count = ::write(file_.get(), text.data() + written, text.size() - written);
    sound = count > 0 || (count < 0 && errno == EINTR);
    if (count > 0) written += static_cast<std::size_t>(count);
  }
  if (sound) return {};
  return fail(ErrorKind::environment,
              fmt::format("the report {} could not be written: {}", path_, std::strerror(errno)));
}
}  // namespace harness
