// limit, offset and total wherever a list is answered, beyond one page of the store too.
#include <gtest/gtest.h>

#include "daemon/units/units_test_bench.h"

namespace aima {
namespace {
using Pages = UnitsBench;

TEST_F(Pages, SystemUnitsIsAPageAndTellsRanges) {
  const Json all = good("system.units");
  ASSERT_GT(all["total"].get<int>(), 20);
  EXPECT_EQ(all["items"].size(), all["total"].get<std::size_t>());
  const Json page = good("system.units", {{"limit", 2}, {"offset", 3}});
  EXPECT_EQ(page["total"], all["total"]);
  EXPECT_EQ(page["items"], Json::array({all["items"][3], all["items"][4]}));
  EXPECT_NE(all.dump().find(R"("default":10000,"minimum":1,"maximum":10000)"), std::string::npos);
}

TEST_F(Pages, FiltersWithAFixedSetOfWordsRefuseOthers) {
  EXPECT_NE(bad(400, "alert.list", {{"severity", "warnin"}}).message.find("'warning'"),
            std::string::npos);
}

TEST_F(Pages, AMatchLooksAtEveryRecipe) {
  ASSERT_TRUE(store->write_and_wait([](Transaction& transaction) -> Result<Json> {
    for (int i = 0; i < 10'050; ++i) {
      const std::string name = "r" + std::to_string(i);
      auto done = transaction.insert(Domain::catalog, Json{{"id", "recipe-" + name},
                                                           {"name", name},
                                                           {"engine_type", ""},
                                                           {"hardware", Json::object()},
                                                           {"models", Json::array()}});
      if (!done) return tl::unexpected(done.error());
    }
    return Json(nullptr);
  }));
  const Json found =
      good("catalog.match", {{"hardware", Json::object()}, {"limit", 1}, {"offset", 10'049}});
  EXPECT_EQ(found["total"], 10'050);
  ASSERT_EQ(found["items"].size(), 1U);
  EXPECT_EQ(found["items"][0]["recipe"]["name"], "r10049");
}

TEST_F(Pages, APortIsPromisedOnceHoweverManyServicesThereAre) {
  const Json model = good("model.create", {{"name", "m"}});
  ASSERT_TRUE(store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    for (int i = 0; i < 20'050; ++i) {
      const std::string id = "svc-" + std::to_string(10'000'000 + i);
      auto done = transaction.insert(Domain::service, Json{{"id", id},
                                                           {"name", id},
                                                           {"model_id", model["id"]},
                                                           {"engine_type", "vllm"},
                                                           {"status", "stopped"},
                                                           {"port", 1000 + i}});
      if (!done) return tl::unexpected(done.error());
    }
    return Json(nullptr);
  }));
  for (const int taken : {1000, 1000 + 9'999, 1000 + 10'000, 1000 + 20'000, 1000 + 20'049}) {
    const Error error =
        bad(409, "service.create", {{"model_id", model["id"]}, {"port", taken}});
    EXPECT_EQ(error.code, "port_taken");
    EXPECT_EQ(error.details["service"], "svc-" + std::to_string(10'000'000 + taken - 1000));
  }
  EXPECT_EQ(good("service.create", {{"model_id", model["id"]}, {"port", 1000 + 20'050}})["port"],
            1000 + 20'050);
}

TEST_F(Pages, ObjectsGoByTheNamesPeopleGiveTheirIds) {
  const Json recipe = good("catalog.create", {{"name", "r"}});
  EXPECT_EQ(good("catalog.get", {{"recipe_id", recipe["id"]}}), recipe);
  const Json rule = good("alert.create", {{"name", "a"}, {"condition", "x > 1"}});
  EXPECT_EQ(good("alert.get", {{"rule_id", rule["id"]}}), rule);
}
}  // namespace
}  // namespace aima
