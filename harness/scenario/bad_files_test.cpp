// Every mistake in fixtures/scenarios_bad/ is reported as its .expected says, caret included.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/scenario/scenario.h"
#include "harness/scenario/test_catalog.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::vector<std::string> bad_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(AIMA_SOURCE_DIR "/fixtures/scenarios_bad")) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class BadFile : public ::testing::TestWithParam<std::string> {};

TEST_P(BadFile, IsReportedWithItsPlace) {
  const fs::path folder = AIMA_SOURCE_DIR "/fixtures/scenarios_bad";
  const std::string text = contents(folder / (GetParam() + ".yaml"));
  const auto parsed = parse_scenario(text, GetParam() + ".yaml", small_catalog(), {"port", "data"});
  ASSERT_FALSE(parsed) << "nothing was found wrong";
  std::string shown;
  for (const auto& diagnostic : parsed.error()) {
    EXPECT_GT(diagnostic.where.line, 0);
    EXPECT_GT(diagnostic.where.column, 0);
    shown += render(diagnostic, text);
  }
  const fs::path expected = folder / (GetParam() + ".expected");
  // AIMA_WRITE_EXPECTED=1 writes them anew; read the difference before committing it.
  if (std::getenv("AIMA_WRITE_EXPECTED") != nullptr) std::ofstream(expected) << shown;
  EXPECT_EQ(shown, contents(expected));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, BadFile, ::testing::ValuesIn(bad_files()), [](const auto& file) {
  std::string name = file.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});
}  // namespace
}  // namespace harness
