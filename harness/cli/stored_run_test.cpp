// Real runs, recorded here and cut at every byte: they read, never contradict themselves, never pass.
#include "harness/cli/stored_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/verdict/contradiction.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

class RecordedRuns : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string pattern = (fs::temp_directory_path() / "stored-run-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    std::ofstream(folder / "small.yaml")
        << "scenario: small\ntarget: misbehaving\nvars: {how: behaves}\ncriteria:\n"
           "  1: it does as told\nsteps:\n  - start: {}\n  - background: some\n    count: 3\n"
           "    shell: echo hello\n  - repeat: {times: 2, steps: [{shell: echo again}]}\n"
           "  - join: some\n  - pause: {}\n  - resume: {}\n  - restart: {signal: KILL}\n"
           "  - stop: {}\n    criterion: 1\n";
    const std::string root = AIMA_SOURCE_DIR;
    const std::string command = std::string(AIMA_BINARY_DIR) + "/bin/aima-harness run " +
                                (folder / "small.yaml").string() + " " + root +
                                "/scenarios/restart-survival.yaml " + root +
                                "/scenarios/graceful-shutdown.yaml --provider native --root " + root +
                                " --out " + (folder / "runs").string() + " > " +
                                (folder / "output.txt").string() + " 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command << "\n" << bytes_of(folder / "output.txt");
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }

  static std::vector<fs::path> runs() {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder / "runs")) {
      if (!entry.is_symlink()) found.push_back(entry.path());
    }
    return found;
  }
  static StoredRun opened(const fs::path& run) {
    std::ostringstream nowhere;
    const CommandContext context{.out = nowhere, .err = nowhere, .root = AIMA_SOURCE_DIR, .runs = folder};
    auto stored = open_stored(context, run.string(), false);
    if (!stored) throw std::runtime_error(to_string(stored.error()));
    return std::move(*stored);
  }

  static inline fs::path folder;
};

// What reading gives at each offset, taking up where the line before ended.
TEST_F(RecordedRuns, ReadCutAtEveryByteAndNeverPass) {
  ASSERT_EQ(runs().size(), 3u);
  for (const auto& run : runs()) {
    const StoredRun stored = opened(run);
    ASSERT_EQ(stored.verdict.answer, Answer::pass) << run;
    Expressions expressions;
    ASSERT_TRUE(expressions.prepare(expectations_of(stored.scenario)).empty());
    const std::string text = bytes_of(run / "history.jsonl");
    const std::string_view all = text;
    HistoryReader reader;
    History prefix;
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t newline = all.find('\n', at);
      for (std::size_t end = at; end <= newline; ++end) {
        auto tail = reader.tail(all.substr(at, end - at));
        ASSERT_TRUE(tail.has_value()) << run << " cut at " << end << ": " << to_string(tail.error());
        ASSERT_EQ(tail->has_value(), end == newline) << run << " cut at " << end;
      }
      prefix.cut = true;
      prefix.cut_reason = "its last line is torn";
      const Verdict cut = judge(stored.scenario, prefix, expressions);
      ASSERT_NE(cut.answer, Answer::pass) << run << " cut in line " << prefix.events.size() + 1;
      ASSERT_NE(cut.answer, Answer::fail) << run << " cut in line " << prefix.events.size() + 1
                                          << ": " << cut.reason;
      for (const auto& finding : cut.findings) ASSERT_NE(finding.answer, Answer::pass);
      for (const auto& one : contradictions(stored.scenario, prefix)) {
        ADD_FAILURE() << run << " cut in line " << prefix.events.size() + 1 << ": " << one.text;
      }
      ASSERT_TRUE(reader.add(all.substr(at, newline - at)).has_value());
      prefix.events.push_back(stored.history.events[reader.lines() - 1]);
      at = newline + 1;
    }
    ASSERT_EQ(prefix.events.size(), stored.history.events.size());
    // And as a whole, at some of them: the same events, and cut.
    for (std::size_t end = 0; end + 1 < text.size(); end += 1009) {
      auto history = parse_history(text.substr(0, end));
      ASSERT_TRUE(history.has_value()) << run << " cut at " << end;
      EXPECT_TRUE(history->cut) << end;
      const auto lines = std::count(text.begin(), text.begin() + static_cast<long>(end), '\n');
      // A line that lacks its line break alone is whole.
      EXPECT_EQ(history->events.size(), static_cast<std::size_t>(lines) + (text[end] == '\n' ? 1 : 0))
          << end;
    }
  }
}

}  // namespace
}  // namespace harness
