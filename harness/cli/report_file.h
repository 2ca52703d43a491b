// The file of a report that was asked for: open before anything is started, so that a bad path fails
// early.
#pragma once
#include <string>

#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace harness {

class ReportFile {
 public:
  // "-" is standard output: no file. `format` for the message only.
  static Result<ReportFile> open(const std::string& format, const std::string& path);
  bool to_screen() const { return !file_; }
  // Replaces what is there.
  Result<void> write(const std::string& text) const;

 private:
  std::string path_;
  UniqueFd file_;
};
}  // namespace harness
