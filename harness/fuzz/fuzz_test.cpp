// Every corpus, replayed without libFuzzer: what once broke something stays mended.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "harness/base/clock.h"
#include "harness/base/read_file.h"
#include "harness/fuzz/targets.h"

namespace harness::fuzz {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> inputs_of(const Target& target) {
  std::vector<fs::path> files;
  std::vector<std::string> folders = target.seeds;
  folders.push_back(std::string("fixtures/fuzz/") + target.name);
  for (const auto& folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(AIMA_SOURCE_DIR) / folder, error)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Corpus : public ::testing::TestWithParam<Target> {};

TEST_P(Corpus, Replays) {
  const auto files = inputs_of(GetParam());
  EXPECT_GE(files.size(), 3u) << "a corpus of nothing proves nothing";
  for (const auto& file : files) {
    const auto text = read_file(file, 4u << 20);
    ASSERT_TRUE(text) << file;
    const Instant begin = Clock::now();
    GetParam().run(*text);
    EXPECT_LT(milliseconds(Clock::now() - begin), 25'000) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Corpus, ::testing::ValuesIn(targets()),
                         [](const auto& target) { return std::string(target.param.name); });
}  // namespace
}  // namespace harness::fuzz
