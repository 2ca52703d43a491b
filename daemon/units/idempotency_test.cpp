// The guard over a real store: who runs, who is answered, who is refused.
#include "daemon/units/idempotency.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "daemon/units/common.h"
#include "daemon/units/units_test_bench.h"

namespace aima {
namespace {

class Keys : public UnitsBench {
 protected:
  void SetUp() override {
    UnitsBench::SetUp();
    guard_units();
  }
  void guard_units() {
    guard = std::make_unique<IdempotencyGuard>(*store);
    Unit hold{"alert", "hold", UnitKind::command, "", {string_field("key", "")}, {}};
    hold.run = [this](Call call, Done done) {
      const std::lock_guard lock(mutex);
      ++runs;
      held.push_back(std::move(done));
      (void)call;
    };
    registry->add(std::move(hold));
    registry->guard_commands([this](const Unit& unit, Call call, Done done) {
      guard->run(unit, std::move(call), std::move(done));
    });
  }
  void restart() {
    guard.reset();
    stop();
    start(StoreKind::memory);
    guard_units();
  }

  struct Answer {
    Result<Json> result;
    bool replayed = false;
  };
  std::future<Answer> ask(const std::string& unit, const std::string& key, Json input,
                          const std::string& client = "") {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto replayed = std::make_shared<bool>(false);
    Call request;
    request.input = std::move(input);
    request.client = client;
    request.idempotency_key = key;
    request.on_replay = [replayed] { *replayed = true; };
    const auto dot = unit.find('.');
    registry->execute(unit.substr(0, dot), unit.substr(dot + 1), std::move(request),
                      [promise, replayed](Result<Json> result) {
                        promise->set_value({std::move(result), *replayed});
                      });
    return promise->get_future();
  }
  Answer keyed(const std::string& unit, const std::string& key, Json input,
               const std::string& client = "") {
    auto answer = ask(unit, key, std::move(input), client);
    if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready)
      throw std::runtime_error(unit + " gave no answer");
    return answer.get();
  }
  std::string refusal(const std::string& unit, const std::string& key, Json input) {
    const Answer answer = keyed(unit, key, std::move(input));
    return answer.result ? "none" : answer.result.error().code;
  }

  std::unique_ptr<IdempotencyGuard> guard;
  std::mutex mutex;
  std::vector<Done> held;
  int runs = 0;
};

TEST_F(Keys, TheSameRequestIsAnsweredAgainAlsoAfterARestart) {
  const auto first = keyed("model.create", "k", {{"name", "m"}, {"source", "x"}});
  ASSERT_TRUE(first.result);
  EXPECT_FALSE(first.replayed);
  // Another order, a default written out, a null that says the same as leaving it out.
  const Json same{{"source", "x"}, {"type", "llm"}, {"repo", nullptr}, {"name", "m"}};
  for (int life = 0; life < 2; ++life) {
    const auto again = keyed("model.create", "k", same);
    EXPECT_TRUE(again.replayed);
    EXPECT_EQ(again.result->dump(), first.result->dump());
    restart();
  }
  EXPECT_EQ(good("model.list")["total"], 1);
  good("model.delete", {{"id", (*first.result)["id"]}});
  EXPECT_TRUE(keyed("model.create", "k", same).replayed);  // what it made may be gone meanwhile
  EXPECT_EQ(good("model.list")["total"], 0);
}

TEST_F(Keys, AnotherInputOrUnitIsRefusedAndRunsNothing) {
  ASSERT_TRUE(keyed("model.create", "k", {{"name", "m"}}).result);
  EXPECT_EQ(refusal("model.create", "k", {{"name", "n"}}), "idempotency_key_reused");
  EXPECT_EQ(refusal("skill.create", "k", {{"name", "m"}}), "idempotency_key_reused");
  EXPECT_EQ(keyed("model.create", "k", {{"name", "n"}}).result.error().http_status, 422);
  EXPECT_EQ(good("model.list")["total"], 1);
  EXPECT_EQ(good("skill.list", {{"source", "user"}})["total"], 0);
}

TEST_F(Keys, ClientsDoNotShareTheirs) {
  ASSERT_TRUE(keyed("model.create", "k", {{"name", "m"}}, "one").result);
  const auto other = keyed("model.create", "k", {{"name", "n"}}, "two");
  ASSERT_TRUE(other.result);
  EXPECT_FALSE(other.replayed);
  EXPECT_TRUE(keyed("model.create", "k", {{"name", "n"}}, "two").replayed);
}

TEST_F(Keys, WhileTheFirstIsInProgressOthersAreTold) {
  auto first = ask("alert.hold", "k", {{"key", "a"}});
  EXPECT_EQ(refusal("alert.hold", "k", {{"key", "a"}}), "idempotency_in_progress");
  EXPECT_EQ(refusal("alert.hold", "k", {{"key", "b"}}), "idempotency_key_reused");
  held.at(0)(Json{{"made", 1}});
  EXPECT_EQ(first.get().result->dump(), R"({"made":1})");
  const auto again = keyed("alert.hold", "k", {{"key", "a"}});
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.result->dump(), R"({"made":1})");
  EXPECT_EQ(runs, 1);
}

TEST_F(Keys, WhatWasNotAnsweredOrFailedCanBeAskedAgain) {
  auto failed = ask("alert.hold", "k", Json::object());
  held.at(0)(fail(503, "draining", "later"));
  EXPECT_FALSE(failed.get().result);
  auto dropped = ask("alert.hold", "k", Json::object());
  held.clear();  // a unit that drops its Done
  EXPECT_THROW(dropped.get(), std::future_error);
  auto busy = ask("alert.hold", "k", Json::object());
  held.at(0)(fail(409, "busy", "somebody is at it"));
  EXPECT_FALSE(busy.get().result);
  auto refused = ask("alert.hold", "k", Json::object());
  held.at(1)(fail(409, "taken", "it is taken"));
  EXPECT_EQ(refused.get().result.error().code, "taken");
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(refusal("alert.hold", "k", Json::object()), "taken");
  EXPECT_EQ(runs, 4);
}

TEST_F(Keys, InputThatIsRefusedLeavesTheKeyFree) {
  EXPECT_EQ(keyed("model.create", "k", {{"nmae", "m"}}).result.error().http_status, 400);
  EXPECT_EQ(keyed("model.create", "k", {{"name", "m"}, {"path", "../x"}}).result.error().http_status,
            400);
  EXPECT_TRUE(keyed("model.create", "k", {{"name", "m"}}).result);
}

TEST_F(Keys, WhatIsNoKeyIsRefused) {
  for (const std::string& key : {std::string(), std::string(256, 'k'), std::string("a b"),
                                std::string("\xc3\xbc"), std::string("a\x7f")})
    EXPECT_EQ(refusal("model.create", key, {{"name", "m"}}), "invalid_idempotency_key") << key;
  EXPECT_EQ(good("model.list")["total"], 0);
  EXPECT_TRUE(keyed("model.create", std::string(255, '~'), {{"name", "m"}}).result);
}

TEST_F(Keys, QueriesHaveNone) {
  good("model.create", {{"name", "m"}});
  EXPECT_EQ((*keyed("model.list", "k", Json::object()).result)["total"], 1);
  good("model.create", {{"name", "n"}});
  const auto again = keyed("model.list", "k", Json::object());
  EXPECT_EQ((*again.result)["total"], 2);
  EXPECT_FALSE(again.replayed);
}

TEST_F(Keys, ARunIsStartedOnce) {
  const Json pipeline = good(
      "pipeline.create",
      {{"name", "p"}, {"steps", Json::array({Json{{"id", "a"}, {"unit", "model.list"}}})}});
  const auto first = keyed("pipeline.run", "k", {{"id", pipeline["id"]}});
  ASSERT_TRUE(first.result);
  wait_for_run((*first.result)["id"], "completed");
  const auto again = keyed("pipeline.run", "k", {{"pipeline_id", pipeline["id"]}});
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.result->dump(), first.result->dump());
}

TEST_F(Keys, ManyAtOnceMakeOne) {
  constexpr int clients = 64;
  std::vector<std::thread> threads;
  std::atomic<int> made = 0;
  std::atomic<int> told_to_wait = 0;
  std::mutex ids_mutex;
  std::set<std::string> ids;
  for (int i = 0; i < clients; ++i)
    threads.emplace_back([&] {
      const auto answer = keyed("catalog.create", "k", {{"name", "r"}});
      if (!answer.result) {
        EXPECT_EQ(answer.result.error().code, "idempotency_in_progress");
        ++told_to_wait;
        return;
      }
      if (!answer.replayed) ++made;
      const std::lock_guard lock(ids_mutex);
      ids.insert((*answer.result)["id"].get<std::string>());
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_LT(told_to_wait, clients);
  EXPECT_EQ(good("catalog.list")["total"], 1);
}
}  // namespace
}  // namespace aima
