// Proofs of small scenarios with a shell as the daemon: what has teeth, what is noticed, what is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "harness/prove/forging.h"
#include "harness/prove/matrix.h"
#include "harness/run/catalog.h"
#include "harness/run/live.h"
#include "harness/run/shell_target.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Writes a file into the sandbox before step 2, which a scenario may look at or not.
class WriteFile : public Strike {
 public:
  explicit WriteFile(bool strikes) : strikes_(strikes) {}
  void before_step(Live& live, const Step& step, const Limit&) override {
    if (step.path != "2" || !strikes_) return;
    std::ofstream(live.session.workspace->root() / "struck") << "1";
    struck_ = "wrote a file";
  }
  std::string struck() const override { return struck_; }
  std::string missed() const override { return "the pen was dry"; }

 private:
  bool strikes_;
  std::string struck_;
};

std::vector<Place> at_step_two(const ProofSubject&) { return {{"file", "2"}}; }
const WorldSabotage write_file{"write-file", "a file appears", at_step_two,
                               [](const ProofSubject&, const Place&) -> std::unique_ptr<Strike> {
                                 return std::make_unique<WriteFile>(true);
                               }};
const WorldSabotage dry_pen{"dry-pen", "no file appears", at_step_two,
                            [](const ProofSubject&, const Place&) -> std::unique_ptr<Strike> {
                              return std::make_unique<WriteFile>(false);
                            }};

class ProofOfShell : public testing::Test {
 protected:
  ProofOfShell() : folder(fs::temp_directory_path() / ("aima-proof-" + std::to_string(::getpid()))) {}
  ~ProofOfShell() override { fs::remove_all(folder); }

  Proof prove(const std::string& head, const std::string& steps,
              std::vector<WorldSabotage> world = {}, const std::string& only = "") {
    const auto parsed = parse_scenario("scenario: s\ntarget: shell\n" + head + "steps:\n  - start: {}\n" + steps,
                                       "s.yaml", full_catalog(), {});
    EXPECT_TRUE(parsed) << parsed.error().front().message;
    const Plan plan = make_plan(*parsed, "shell", {}, 1);
    ProofOptions options;
    options.run.root = AIMA_SOURCE_DIR;
    options.run.runs = folder;
    options.run.plan = &plan;
    options.world = world;
    options.sabotage = only;
    auto proof = prove_scenario(*parsed, shell_target(), Provider{}, options);
    EXPECT_TRUE(proof) << to_string(proof.error());
    return std::move(*proof);
  }
  static std::vector<std::string> names(const std::vector<const Column*>& columns) {
    std::vector<std::string> all;
    for (const auto* column : columns) all.push_back(column->name());
    return all;
  }
  fs::path folder;
};

const char* const one_criterion = "criteria: {1: no file came}\n";
const char* const looks_at_it = "  - shell: ls ..; ls\n    criterion: 1\n    expect: 'contains(\"struck\") | not'\n";
const char* const counts = "  - shell: echo 7\n    criterion: 1\n    expect: '. == 7'\n";

TEST_F(ProofOfShell, ACriterionThatLooksIsProvenInTheWorld) {
  const Proof proof = prove(one_criterion, looks_at_it, {write_file}, "write-file");
  EXPECT_TRUE(proof.proven()) << render_matrix_console({proof}, {});
  ASSERT_EQ(proof.criteria.size(), 1u);
  EXPECT_THAT(proof.criteria.front().world, Contains("write-file:file@2"));
  EXPECT_EQ(proof_status({proof}, 0), 0);
  EXPECT_FALSE(fs::exists(proof.folder / "strikes"));
  EXPECT_TRUE(fs::exists(proof.folder / "control" / "history.jsonl"));
}

TEST_F(ProofOfShell, AStrikeThatNobodySeesIsNotNoticed) {
  const Proof proof = prove(one_criterion, counts, {write_file}, "write-file:file");
  EXPECT_THAT(names(proof.with(Fate::unnoticed)), Contains("write-file:file@2"));
  EXPECT_EQ(proof_status({proof}, 0), 1);
  EXPECT_THAT(complaints_of(proof), Contains(HasSubstr("wrote a file")));
  EXPECT_TRUE(fs::exists(proof.folder / "strikes" / "write-file-file@2" / "history.jsonl"));
}

TEST_F(ProofOfShell, AMarkWithAReasonExcusesItAndIsShown) {
  const std::string mark = "prove: {equivalent: {'write-file:file': a file does no harm}}\n";
  const Proof proof = prove(one_criterion + mark, counts, {write_file}, "write-file");
  EXPECT_EQ(proof.with(Fate::equivalent).size(), 1u);
  EXPECT_EQ(proof_status({proof}, 0), 0);
  EXPECT_THAT(render_matrix_console({proof}, {}), HasSubstr("a file does no harm"));
  EXPECT_THAT(render_matrix_markdown({proof}, {}), HasSubstr("a file does no harm"));
}

TEST_F(ProofOfShell, AMarkOfWhatIsNoticedOrDoesNotStrikeIsStale) {
  const std::string marks = "prove: {equivalent: {write-file: no harm, dry-pen: no harm, lose-item: none}}\n";
  const Proof proof = prove(one_criterion + marks, looks_at_it, {write_file, dry_pen});
  EXPECT_THAT(proof.stale, Contains(HasSubstr("write-file:file@2 is noticed")));
  EXPECT_THAT(proof.stale, Contains(HasSubstr("`dry-pen` is marked equivalent, and nothing")));
  EXPECT_THAT(proof.stale, Contains(HasSubstr("s.yaml:4:")));
}

TEST_F(ProofOfShell, AStrikeThatDoesNotStrikeProvesNothing) {
  const Proof proof = prove(one_criterion, counts, {dry_pen}, "dry-pen");
  ASSERT_THAT(names(proof.with(Fate::missed)), Contains("dry-pen:file@2"));
  EXPECT_THAT(proof.with(Fate::missed).front()->why, HasSubstr("the pen was dry"));
  EXPECT_THAT(proof.with(Fate::noticed), IsEmpty());
  EXPECT_EQ(figures_of({proof}).struck, 0u);
  EXPECT_THAT(render_matrix_console({proof}, {}), HasSubstr("did not strike"));
}

TEST_F(ProofOfShell, AnExpectationThatIsAlwaysTrueIsToothless) {
  const Proof proof = prove(one_criterion, "  - shell: echo 7\n    criterion: 1\n    expect: '. >= 0'\n");
  ASSERT_EQ(proof.toothless().size(), 1u);
  EXPECT_EQ(proof.toothless().front()->criterion, "1");
  EXPECT_THAT(names(proof.with(Fate::unnoticed)), Contains("change-observation:1@2"));
  EXPECT_EQ(proof_status({proof}, 0), 1);
  EXPECT_THAT(complaints_of(proof), Contains(HasSubstr("criterion 1 is toothless")));
  // And one that can tell is not.
  const Proof good = prove(one_criterion, counts);
  EXPECT_THAT(good.toothless(), IsEmpty()) << render_matrix_console({good}, {});
  EXPECT_THAT(names(good.with(Fate::noticed)), Contains("change-observation:1@2"));
}

TEST_F(ProofOfShell, WhereTheControlRunDoesNotPassNothingIsProven) {
  const Proof failed = prove(one_criterion, "  - shell: echo 8\n    criterion: 1\n    expect: '. == 7'\n", {write_file});
  EXPECT_FALSE(failed.tried());
  EXPECT_THAT(failed.columns, IsEmpty());
  EXPECT_EQ(proof_status({failed}, 0), 1);
  EXPECT_THAT(render_matrix_console({failed}, {}), HasSubstr("NOT TRIED"));
  const Proof unsure = prove(one_criterion, "  - shell: echo\n    criterion: 1\n    expect: '.x'\n", {write_file});
  EXPECT_EQ(proof_status({unsure}, 0), 2);
  const Proof skipped = prove(std::string(one_criterion) + "needs: [no-such-program]\n", counts, {write_file});
  EXPECT_EQ(proof_status({skipped}, 0), 2);
  EXPECT_EQ(proof_status({}, 2), 130);
}

// Each forged record reads as one: numbers without gaps, times that go on.
TEST_F(ProofOfShell, ForgedRecordsRead) {
  const char* const many =
      "criteria: {1: seven, 2: it went}\n";
  const char* const steps =
      "  - shell: echo 7\n    criterion: 1\n    expect: '. == 7'\n"
      "  - fault: {pause: {}}\n  - heal: pause\n  - signal: TERM\n  - await: {exit: 0}\n    criterion: 2\n"
      "  - start: {}\n  - stop: {}\n";
  const Proof proof = prove(many, steps);
  const auto parsed = parse_scenario(std::string("scenario: s\ntarget: shell\n") + many + "steps:\n  - start: {}\n" + steps,
                                     "s.yaml", full_catalog(), {});
  const auto control = read_history((proof.folder / "control" / "history.jsonl").string());
  ASSERT_TRUE(parsed && control);
  Expressions expressions;
  (void)expressions.prepare(expectations_of(*parsed));
  const TargetProfile target = shell_target();
  const ProofSubject subject{*parsed, target, *control, "none", &expressions};
  std::set<std::string_view> forged;
  for (const auto& sabotage : record_sabotages()) {
    sabotage.forge(subject, [&](const Forgery& forgery) {
      forged.insert(sabotage.name);
      EXPECT_FALSE(forgery.what.empty()) << sabotage.name;
      std::string text;
      for (const auto& event : forgery.history.events) {
        Json line = event.fields;
        line.erase("hash");  // who forges a record forges its chain
        text += line.dump() + "\n";
      }
      const auto read = parse_history(text);
      EXPECT_TRUE(read) << sabotage.name << ": " << to_string(read.error());
      EXPECT_EQ(read && read->cut, forgery.history.cut) << sabotage.name << ": " << forgery.what;
      return sabotage.every ? false : true;
    });
  }
  for (const char* name : {"change-observation", "drop-observation", "fail-step", "wrong-exit", "unasked-death",
                           "never-ready", "unsent-signal", "leftover", "fault-missed", "fault-unproven",
                           "harness-error", "interrupted", "skipped", "second-run", "cut-off"}) {
    EXPECT_TRUE(forged.contains(name)) << name;
  }
  for (const auto* column : proof.with(Fate::noticed)) {
    if (column->sabotage == "fault-missed") {
      EXPECT_EQ(column->answer, Answer::inconclusive);
    }
  }
}

TEST(Changes, AreSmallAndFromTheOutsideIn) {
  const auto changes = changes_of(Json::parse(R"({"items": [{"ok": true, "n": 3}], "name": "x"})"), ".", 100);
  std::vector<std::string> said;
  for (const auto& change : changes) said.push_back(change.what);
  EXPECT_THAT(said, Contains(".items[0].ok: true became false"));
  EXPECT_THAT(said, Contains(".items[0].n: 3 became 4"));
  EXPECT_THAT(said, Contains(".name: \"x\" became \"x-forged\""));
  EXPECT_THAT(said.front(), HasSubstr(".items: its last element"));
  EXPECT_EQ(changes_of(Json(1), ".", 2).size(), 2u);
  for (const auto& change : changes_of(Json(0), ".", 9)) EXPECT_GT(change.document, 0) << "a count never was negative";
}

TEST(Column, ItsNameIsStableAndWordsNameIt) {
  Column column;
  column.sabotage = "drop-row";
  column.place = {"models", "19"};
  EXPECT_EQ(column.name(), "drop-row:models@19");
  EXPECT_TRUE(column.is_named_by("drop-row"));
  EXPECT_TRUE(column.is_named_by("drop-row:models"));
  EXPECT_FALSE(column.is_named_by("drop-row:alerts"));
  column.place.detail.clear();
  EXPECT_EQ(column.name(), "drop-row@19");
  EXPECT_FALSE(column.is_named_by("drop-row:"));
}

TEST(ProofStatus, AFailIsHiddenByNothing) {
  Proof proof;
  proof.control.answer = Answer::pass;
  proof.columns.resize(2);
  proof.columns[0].fate = Fate::error;
  EXPECT_EQ(proof_status({proof}, 0), 3);
  EXPECT_EQ(proof_status({proof}, 2), 3);
  proof.columns[1].fate = Fate::unnoticed;
  EXPECT_EQ(proof_status({proof}, 2), 1);
  proof.columns.resize(0);
  proof.criteria.resize(1);
  EXPECT_EQ(proof_status({proof}, 0), 1);
  proof.interrupted = "SIGINT";  // what was not run might have given it teeth
  EXPECT_EQ(proof_status({proof}, 2), 130);
}

}  // namespace
}  // namespace harness
