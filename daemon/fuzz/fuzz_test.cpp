// Every corpus, replayed without libFuzzer: what once broke something stays mended.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/fuzz/targets.h"

namespace aima::fuzz {
namespace {

namespace fs = std::filesystem;

class DaemonCorpus : public ::testing::TestWithParam<Target> {};

TEST_P(DaemonCorpus, Replays) {
  const fs::path folder = fs::path(AIMA_SOURCE_DIR "/fixtures/fuzz") / GetParam().name;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  EXPECT_GE(files.size(), 3u) << "a corpus of nothing proves nothing";
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    const auto begin = std::chrono::steady_clock::now();
    GetParam().run(text.str());
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(25)) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, DaemonCorpus, ::testing::ValuesIn(targets()),
                         [](const auto& target) { return std::string(target.param.name); });
}  // namespace
}  // namespace aima::fuzz
