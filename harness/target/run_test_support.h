// For the tests of this folder that make processes and folders of a run of their own.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "harness/target/child.h"

namespace harness {

inline Limit in_time() { return Limit::after(Milliseconds(10000)); }

inline std::unique_ptr<Child> misbehaving_in(const std::string& how, const std::string& run_id,
                                             const std::string& line = "^ready$") {
  SpawnOptions options;
  options.argv = {AIMA_BINARY_DIR "/bin/misbehaving-daemon", how};
  options.environment = {{"AIMA_RUN", run_id}};
  auto child = Child::spawn(options);
  EXPECT_TRUE(child) << (child ? "" : child.error().message);
  EXPECT_TRUE((*child)->wait_line(line, 0, 1, in_time()));
  return std::move(*child);
}

inline std::string fresh_run(const std::string& name) { return name + "-" + std::to_string(::getpid()); }
}  // namespace harness
