// Every domain's units but the pipelines'.
#include <gtest/gtest.h>

#include "daemon/units/front_matter.h"
#include "daemon/units/match.h"
#include "daemon/units/units_test_bench.h"

namespace aima {
namespace {
using Units = UnitsBench;

TEST_F(Units, ModelLifeAndItsRefusals) {
  const Json model = good("model.create", {{"name", "m"}, {"source", "ollama"}, {"repo", "x"}});
  EXPECT_TRUE(model["id"].get<std::string>().starts_with("model-"));
  EXPECT_EQ(model["id"].get<std::string>().size(), 14U);
  EXPECT_EQ(model["status"], "pending");
  EXPECT_EQ(model["type"], "llm");
  const auto time = model["created_at"].get<std::string>();
  EXPECT_EQ(time.size(), 24U);
  EXPECT_EQ(time.back(), 'Z');
  EXPECT_EQ(good("model.get", {{"model_id", model["id"]}}), model);
  EXPECT_EQ(bad(409, "model.create", {{"name", "m"}}).details["id"], model["id"]);
  EXPECT_EQ(bad(400, "model.create").details["field"], "name");
  EXPECT_EQ(bad(400, "model.create", {{"name", "n"}, {"path", "../x"}}).details["field"], "path");
  EXPECT_NE(bad(404, "model.get", {{"id", "m"}}).message.find(model["id"].get<std::string>()),
            std::string::npos);
  EXPECT_EQ(good("model.list", {{"type", "asr"}})["total"], 0);
  EXPECT_EQ(good("model.list", {{"status", "pending"}})["items"], Json::array({model}));
  EXPECT_EQ(good("model.delete", {{"id", model["id"]}})["deleted"], true);
  bad(404, "model.delete", {{"id", model["id"]}});
}

// What is in memory as text is what running the unit would answer, for both kinds of store.
TEST_F(Units, WhatIsWrittenAlreadyIsWhatRunAnswers) {
  for (const char* domain : {"model", "alert"}) {
    const std::string name = domain;
    const Json object = good(name + ".create", name == "alert"
                                                   ? Json{{"name", "ü"}, {"condition", "c"}}
                                                   : Json{{"name", "ü"}, {"tags", {"a"}}});
    const auto id = object["id"].get<std::string>();
    const Unit& get = *registry->find(name, "get");
    for (const std::string& key : {std::string("id"), name + "_id"}) {
      const auto text = ready_text(get, {{key, id}});
      ASSERT_TRUE(text) << name << " " << key;
      EXPECT_EQ(*text, good(name + ".get", {{"id", id}}).dump());
    }
    EXPECT_EQ(ready_text(get, {}), nullptr);
    EXPECT_EQ(ready_text(get, {{"id", ""}}), nullptr);
    EXPECT_EQ(ready_text(get, {{"id", name + "-none"}}), nullptr);
    EXPECT_EQ(ready_text(get, {{"idd", id}}), nullptr);
    EXPECT_EQ(ready_text(get, {{"id", id}, {"id", id}}), nullptr);
    EXPECT_EQ(ready_text(*registry->find(name, "list"), {{"id", id}}), nullptr);
    good(name + ".delete", {{"id", id}});
    EXPECT_EQ(ready_text(get, {{"id", id}}), nullptr);
  }
}

TEST_F(Units, AModelWithServicesIsNotDeleted) {
  const Json model = good("model.create", {{"name", "m"}});
  ASSERT_TRUE(store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    auto done = transaction.insert(
        Domain::service, Json{{"id", "svc-11112222"}, {"name", "s"}, {"model_id", model["id"]}});
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  }));
  const Error error = bad(409, "model.delete", {{"id", model["id"]}});
  EXPECT_NE(error.message.find("svc-11112222"), std::string::npos);
  EXPECT_EQ(good("model.list")["total"], 1);
}

TEST_F(Units, FilesOfAModelMakeItReady) {
  write_file(folder.path() / "weights.gguf", "12345");
  const Json model =
      good("model.create", {{"name", "m"}, {"path", (folder.path() / "weights.gguf").string()}});
  EXPECT_EQ(model["status"], "ready");
  EXPECT_EQ(model["size"], 5);
}

TEST_F(Units, EnginesAreReadOnly) {
  EXPECT_EQ(good("engine.list")["total"], 5);
  EXPECT_EQ(good("engine.get", {{"name", "vllm"}})["type"], "vllm");
  EXPECT_NE(bad(404, "engine.get", {{"id", "vlm"}}).message.find("did you mean 'vllm'"),
            std::string::npos);
  bad(404, "engine.create", {{"name", "x"}});
}

TEST_F(Units, CatalogMatchesByHardware) {
  const auto create = [&](const char* name, Json hardware) {
    return good("catalog.create", {{"name", name},
                                   {"engine_type", "vllm"},
                                   {"hardware", std::move(hardware)},
                                   {"config", {{"free", 1}}}});
  };
  create("anything", Json::object());
  create("amd", {{"gpu_vendor", "AMD"}});
  create("big", {{"gpu_vendor", "NVIDIA"}, {"vram_gb", 80}});
  create("small", {{"gpu_vendor", "nvidia"}, {"vram_gb", 16}});
  create("untold", {{"gpu_vendor", "NVIDIA"}, {"npu", true}});
  const Json found =
      good("catalog.match", {{"hardware", {{"gpu_vendor", "NVIDIA"}, {"vram_gb", 24}}}});
  std::vector<std::string> order;
  for (const auto& item : found["items"]) order.push_back(item["recipe"]["name"]);
  EXPECT_EQ(order, (std::vector<std::string>{"small", "anything", "untold"}));
  EXPECT_EQ(found["items"][0]["score"], 1.0);
  EXPECT_LT(found["items"][2]["score"], 1.0);
  EXPECT_EQ(found["items"][2]["unknown"], Json::array({"npu"}));
  EXPECT_EQ(bad(400, "catalog.match").details["field"], "hardware");
  bad(400, "catalog.create", {{"name", "x"}, {"hardwear", Json::object()}});
}

TEST_F(Units, SkillsAreSeededSearchedAndProtected) {
  const Json builtins = good("skill.list", {{"source", "builtin"}});
  ASSERT_GE(builtins["total"], 3);
  EXPECT_EQ(bad(409, "skill.delete", {{"id", builtins["items"][0]["id"]}}).code, "builtin");
  const Json mine = good("skill.create", {{"name", "restart-test-skill"},
                                          {"description", "Test skill for restart survival"},
                                          {"keywords", {"restart", "test"}},
                                          {"category", "testing"},
                                          {"content", "test content"}});
  EXPECT_EQ(mine["source"], "user");
  const Json found = good("skill.search", {{"query", "RESTART survival"}});
  EXPECT_EQ(found["total"], 1);
  EXPECT_EQ(found["items"][0]["id"], mine["id"]);
  EXPECT_EQ(good("skill.search", {{"query", "backup"}})["items"][0]["name"], "backup-and-restore");
  EXPECT_EQ(good("skill.search", {{"query", "nowhere-at-all"}})["total"], 0);
  bad(400, "skill.search", {{"query", " !"}});
  good("skill.delete", {{"id", mine["id"]}});
  stop();
  start(StoreKind::memory);
  const Json again = good("skill.list");
  ASSERT_EQ(again["total"], builtins["total"]);
  for (std::size_t i = 0; i < again["items"].size(); ++i)
    for (const char* key : {"id", "name", "content", "source"})
      EXPECT_EQ(again["items"][i][key], builtins["items"][i][key]) << i << key;
}

TEST_F(Units, SeedingASqliteStoreTwiceChangesNothingAndRepairsChanges) {
  stop();
  start(StoreKind::sqlite);
  const Json first = good("skill.list");
  stop();
  start(StoreKind::sqlite);
  EXPECT_EQ(good("skill.list"), first);
  EXPECT_EQ(store->facts().commits, 0);
  Json altered = first["items"][0];
  altered["content"] = "defaced";
  ASSERT_TRUE(store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    auto done = transaction.update(Domain::skill, altered);
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  }));
  stop();
  start(StoreKind::sqlite);
  EXPECT_EQ(good("skill.get", {{"id", altered["id"]}})["content"], first["items"][0]["content"]);
}

TEST_F(Units, AlertsDefaultToWarning) {
  const Json alert =
      good("alert.create",
           {{"name", "restart-test-alert"}, {"condition", "gpu_temp > 80"}, {"action", "notify"}});
  EXPECT_EQ(alert["severity"], "warning");
  EXPECT_EQ(bad(400, "alert.create", {{"name", "x"}}).details["field"], "condition");
  EXPECT_EQ(good("alert.list")["total"], 1);
}

TEST_F(Units, SystemUnitsDescribesEveryUnit) {
  EXPECT_EQ(good("system.units")["total"], registry->all().size());
  EXPECT_EQ(good("system.info")["version"], "test");
}

TEST(FrontMatter, RefusesWhatItDoesNotKnow) {
  EXPECT_TRUE(parse_skill_asset("x", "---\nname: a\nkeywords: [b, c d]\n---\ntext\n"));
  for (const char* bad : {"name: a", "---\nname: a\ntext", "---\nnme: a\n---\n", "---\n---\n",
                          "---\ndescription: a\n---\n"})
    EXPECT_FALSE(parse_skill_asset("x", bad)) << bad;
}

TEST(Match, ListsAndNestedObjects) {
  EXPECT_TRUE(match_hardware({{"arch", {"amd64", "arm64"}}}, {{"arch", "ARM64"}}).fits);
  EXPECT_FALSE(match_hardware({{"arch", {"amd64"}}}, {{"arch", "arm64"}}).fits);
  EXPECT_TRUE(match_hardware({{"gpu", {{"count", 2}}}}, {{"gpu", {{"count", 4}}}}).fits);
  EXPECT_FALSE(match_hardware({{"gpu", {{"count", 2}}}}, {{"gpu", {{"count", 1}}}}).fits);
}
}  // namespace
}  // namespace aima
