// The whole daemon in a process of its own: readiness, signals, exit statuses.
#include "daemon/gateway/start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

#include "daemon/gateway/start_test_bench.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class Start : public DaemonProcess {};

TEST_F(Start, ReadyThenCleanEndWithNothingLeftOpen) {
  start();
  Client client(port);
  EXPECT_THAT(client.ask(get("/ready")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(client.ask(post("/api/model/create", R"({"name":"kept"})")),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(client.ask(get("/api/system/info")), HasSubstr("\"shutdown_timeout_s\":30.0"));
  signal(SIGTERM);
  EXPECT_EQ(notification(), "STOPPING=1");
  EXPECT_EQ(end(), 0) << text_of("log");
  EXPECT_TRUE(fs::exists(folder / "data" / "aima.db"));
  EXPECT_FALSE(fs::exists(folder / "data" / "aima.db-wal"));
  EXPECT_FALSE(Client(port).connected());
  start();
  EXPECT_THAT(Client(port).ask(get("/api/model/list")), HasSubstr("\"kept\""));
  signal(SIGINT);
  EXPECT_EQ(end(), 0) << text_of("log");
}

// Names in no order that could be taken for creation order, all within one second; both stores.
TEST_F(Start, ListsTakeTheirPageFromTheQueryInCreationOrder) {
  start();
  Client client(port);
  const std::vector<std::string> made{"z", "m", "a", "q", "b", "y", "c", "x"};
  for (const auto& name : made) {
    const std::string rest = R"({"name":")" + name + "\"";
    client.ask(post("/api/model/create", rest + "}"));
    client.ask(post("/api/alert/create", rest + R"(,"condition":"gpu_temp > 80"})"));
  }
  using Names = std::vector<std::string>;
  for (const std::string path :
       {"/api/model/list", "/api/v2/models", "/api/alert/list", "/api/v2/alerts/rules"}) {
    const auto names = [&](const std::string& query) {
      Json page = Json::parse(body_of(client.ask(get(path + query))), nullptr, false);
      if (page.contains("data")) page = page["data"];
      EXPECT_EQ(page["total"], made.size()) << path << query;
      Names list;
      for (const auto& item : page["items"]) list.push_back(item["name"]);
      return list;
    };
    EXPECT_EQ(names(""), made) << path;
    EXPECT_EQ(names("?limit=3"), (Names{"z", "m", "a"})) << path;
    EXPECT_EQ(names("?offset=6"), (Names{"c", "x"})) << path;
    EXPECT_EQ(names("?limit=2&offset=3"), (Names{"q", "b"})) << path;
  }
  EXPECT_THAT(client.ask(get("/api/model/list?status=redy")), HasSubstr("did you mean 'ready'"));
}

TEST_F(Start, LabelsOfTheDaemonsOwnAreRefused) {
  for (const char* labels : {"aima.service=svc-00000001", "novalue", "=x"}) {
    setenv("TEST_LABELS", labels, 1);
    EXPECT_EQ(refused(options), 78) << labels;
    EXPECT_THAT(text_of("refused"), HasSubstr("AIMA_LABELS")) << labels;
  }
  unsetenv("TEST_LABELS");
  EXPECT_FALSE(fs::exists(folder / "data")) << "nothing is made before the settings are right";
}

TEST_F(Start, TakenAddressAndDataFolderAreRefusedAndTheirHolderIsNamed) {
  start();
  StartOptions other = options;
  EXPECT_EQ(refused(other), 74);
  EXPECT_THAT(text_of("refused"), HasSubstr(*options.data_dir));
  other.data_dir = (folder / "other").string();
  other.addr = "127.0.0.1:" + std::to_string(port);
  EXPECT_EQ(refused(other), 69);
  EXPECT_THAT(text_of("refused"), HasSubstr("in use by process "));
  EXPECT_THAT(Client(port).ask(get("/ready")), StartsWith("HTTP/1.1 200"));
}

TEST_F(Start, WrongConfigurationIsRefusedBeforeAnythingIsMade) {
  StartOptions wrong = options;
  wrong.log_level = "loud";
  EXPECT_EQ(refused(wrong), 64);
  wrong = options;
  wrong.config_file = (folder / "aima.toml").string();
  std::ofstream(*wrong.config_file) << "\nprovidr = \"native\"\n";
  EXPECT_EQ(refused(wrong), 78);
  EXPECT_THAT(text_of("refused"), HasSubstr("aima.toml:2: unknown key \"providr\""));
  EXPECT_FALSE(fs::exists(*options.data_dir));
}

TEST_F(Start, ADamagedStoreIsRefusedAndLeftAsItWas) {
  fs::create_directories(*options.data_dir);
  const std::string junk(5000, 'j');
  std::ofstream(folder / "data" / "aima.db") << junk;
  EXPECT_EQ(refused(options), 74);
  EXPECT_EQ(text_of("data/aima.db"), junk);
}

// Damage aside: what cannot be opened at all is no reason to begin with another store either.
TEST_F(Start, AStoreThatCannotBeOpenedIsRefused) {
  std::ofstream(folder / "file") << "no folder";
  StartOptions wrong = options;
  wrong.data_dir = (folder / "file").string();
  EXPECT_EQ(refused(wrong), 74);
  EXPECT_THAT(text_of("refused"), HasSubstr(*wrong.data_dir));
  EXPECT_EQ(text_of("file"), "no folder");
  fs::create_directories(folder / "data" / "aima.db" / "kept");
  EXPECT_EQ(refused(options), 74);
  EXPECT_THAT(text_of("refused"), HasSubstr("aima.db"));
  EXPECT_TRUE(fs::is_directory(folder / "data" / "aima.db" / "kept"));
}

// Of a disk that is not mounted, only the link is there: no store was ever empty by it.
TEST_F(Start, ALinkToADatabaseThatCannotBeReachedIsRefused) {
  const fs::path link = folder / "data" / "aima.db";
  fs::create_directories(link.parent_path());
  for (const char* ending : {"", "-wal"}) {
    fs::create_symlink(folder / "not-mounted" / "aima.db", link.string() + ending);
    EXPECT_EQ(refused(options), 74);
    EXPECT_THAT(text_of("refused"), HasSubstr("not-mounted/aima.db"));
    EXPECT_TRUE(fs::is_symlink(link.string() + ending));
    fs::remove(link.string() + ending);
  }
}

TEST_F(Start, TheManagerHearsWhatTheDaemonDoesAndHowLongADrainMayTake) {
  options.drain_delay = "1ms";
  options.shutdown_timeout = "5s";
  start();
  EXPECT_EQ(notified, "READY=1\nSTATUS=listening on http://127.0.0.1:" + std::to_string(port));
  EXPECT_THAT(Client(port).ask(get("/api/system/info")), HasSubstr("\"drain_delay_s\":0.001"));
  signal(SIGTERM);
  EXPECT_EQ(notification(), "STOPPING=1");
  EXPECT_THAT(notified, HasSubstr("\nSTATUS=draining"));
  EXPECT_THAT(notified, HasSubstr("\nEXTEND_TIMEOUT_USEC=15001000"));
  EXPECT_EQ(end(), 0) << text_of("log");
}

TEST_F(Start, TheWatchdogIsFedAsOftenAsTheManagerAsks) {
  setenv("WATCHDOG_USEC", "20000", 1);
  start();
  unsetenv("WATCHDOG_USEC");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(notification(), "WATCHDOG=1");
  signal(SIGTERM);
  EXPECT_EQ(end(), 0) << text_of("log");
}

TEST_F(Start, ASocketPassedInIsServedAndOutlivesTheDaemon) {
  const HeldSocket held;
  listener = held.descriptor();
  start();
  EXPECT_EQ(port, held.port());
  EXPECT_THAT(Client(port).ask(get("/api/system/info")), HasSubstr("\"socket\":\"inherited\""));
  signal(SIGTERM);
  EXPECT_EQ(notification(), "STOPPING=1");
  EXPECT_EQ(end(), 0) << text_of("log");
  Client early(port);
  ASSERT_TRUE(early.connected());
  ASSERT_TRUE(early.send(get("/api/model/list")));
  start();
  EXPECT_THAT(early.reply(), StartsWith("HTTP/1.1 200"));
  signal(SIGTERM);
  EXPECT_EQ(end(), 0) << text_of("log");
}

TEST_F(Start, ASocketMeantForAnotherProcessIsNotServed) {
  const HeldSocket held;
  listener = held.descriptor();
  listener_pid = getpid();
  start();
  EXPECT_NE(port, held.port());
  EXPECT_THAT(Client(port).ask(get("/api/system/info")), HasSubstr("\"socket\":\"own\""));
}

TEST_F(Start, ASocketThatCannotBeServedIsRefusedBeforeAnythingIsMade) {
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(refused(options), 78);
  EXPECT_THAT(text_of("refused"), HasSubstr("descriptor 3 is not listening"));
  ::listen(listener, 5);  // bound by the kernel, to all addresses
  EXPECT_EQ(refused(options), 78);
  EXPECT_THAT(text_of("refused"), HasSubstr("0.0.0.0, which is no loopback address"));
  EXPECT_FALSE(fs::exists(*options.data_dir));
  close(listener);
}

TEST_F(Start, ADrainOutOfTimeEndsWith75AndAClosedStore) {
  options.shutdown_timeout = "100ms";
  start();
  Client half(port);
  half.send("POST /api/model/create HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n{");
  Client other(port);
  EXPECT_THAT(other.ask(get("/health")), StartsWith("HTTP/1.1 200"));
  signal(SIGTERM);
  EXPECT_THAT(half.read_all(), StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(end(), 75) << text_of("log");
  EXPECT_FALSE(fs::exists(folder / "data" / "aima.db-wal"));
}

}  // namespace
}  // namespace aima
