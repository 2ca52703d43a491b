// SIGHUP at the whole daemon: what it takes over, what it refuses, and what it says of both.
#include "daemon/gateway/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <sstream>

#include "daemon/gateway/start_test_bench.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const std::string first = "first-key-of-the-reload-test";
const std::string other_key = "other-key-of-the-reload-test";
const std::string third = "third-key-of-the-reload-test";

class Reload : public DaemonProcess {
 protected:
  Reload() { options.config_file = (folder / "aima.toml").string(); }

  void write(const std::string& text, mode_t mode = 0600) {
    const fs::path path = folder / "aima.toml";
    fs::remove(path);
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
  }
  static std::string keys(std::initializer_list<std::string> list, const std::string& more = "") {
    std::string text = more + "\n[security]\napi_keys = [";
    for (const auto& key : list) text += "\"" + key + "\",";
    return text + "]\n";
  }
  // Until the log says of this SIGHUP whether it took anything over; answers what it said.
  std::string hang_up() {
    const auto before = text_of("log").size();
    signal(SIGHUP);
    Client client(port);
    const auto limit = std::chrono::steady_clock::now() + 10s;
    for (;;) {
      const std::string said = text_of("log").substr(before);
      const auto line = said.find("SIGHUP: ");
      if (line != std::string::npos && said.find('\n', line) != std::string::npos) {
        client.ask(get("/health"));  // what follows that line has been written too
        return text_of("log").substr(before);
      }
      if (std::chrono::steady_clock::now() > limit) return "silence";
      client.ask(get("/health"));
    }
  }
  static int status_of(Client& client, const std::string& key) {
    const std::string reply =
        client.ask(get("/api/model/list", "Authorization: Bearer " + key + "\r\n"));
    return reply.size() > 12 ? std::stoi(reply.substr(9, 3)) : 0;
  }
};

TEST_F(Reload, ReadsTheLogLevelAgain) {
  write("[log]\nlevel = \"error\"\n");
  start();
  EXPECT_THAT(text_of("log"), Not(HasSubstr("store")));
  write("[log]\nlevel = \"debug\"\n");
  EXPECT_THAT(hang_up(), HasSubstr("log level debug"));
  Client(port).ask(get("/api/model/list"));
  signal(SIGTERM);
  EXPECT_EQ(end(), 0);
  EXPECT_THAT(text_of("log"), HasSubstr("model.list: 200"));
}

TEST_F(Reload, NewKeysHoldAndRemovedOnesDoNotAlsoOnConnectionsThatAreThere) {
  options.log_level = "trace";
  write(keys({first, other_key}));
  start();
  Client kept(port);
  EXPECT_EQ(status_of(kept, first), 200);
  EXPECT_EQ(status_of(kept, other_key), 200);
  EXPECT_EQ(status_of(kept, third), 401);
  write(keys({other_key, third}));
  EXPECT_THAT(hang_up(), AllOf(HasSubstr("API keys: 2 (1 new, 1 removed)"), HasSubstr("aima.toml"),
                               HasSubstr("log level trace, as --log-level says")));
  EXPECT_EQ(status_of(kept, first), 401);
  EXPECT_EQ(status_of(kept, other_key), 200);
  EXPECT_EQ(status_of(kept, third), 200);
  Client later(port);
  EXPECT_EQ(status_of(later, first), 401);
  EXPECT_EQ(status_of(later, third), 200);
  EXPECT_THAT(hang_up(), HasSubstr("API keys: 2 (0 new, 0 removed)"));
  for (const std::string& key : {first, other_key, third}) {
    EXPECT_THAT(text_of("log"), Not(HasSubstr(key.substr(0, 9))));
  }
}

TEST_F(Reload, TheKeyFileIsReadAgainToo) {
  std::ofstream(folder / "keys") << first << '\n';
  chmod((folder / "keys").c_str(), 0600);
  write("[security]\napi_keys_file = \"" + (folder / "keys").string() + "\"\n");
  start();
  Client client(port);
  EXPECT_EQ(status_of(client, first), 200);
  std::ofstream(folder / "keys") << third << '\n';
  EXPECT_THAT(hang_up(), HasSubstr("API keys: 1 (1 new, 1 removed)"));
  EXPECT_EQ(status_of(client, first), 401);
  EXPECT_EQ(status_of(client, third), 200);
  chmod((folder / "keys").c_str(), 0640);
  std::ofstream(folder / "keys") << first << '\n';
  EXPECT_THAT(hang_up(), AllOf(HasSubstr("nothing is taken over"), HasSubstr("chmod 600")));
  EXPECT_EQ(status_of(client, first), 401);
  EXPECT_EQ(status_of(client, third), 200);
}

TEST_F(Reload, AFileThatIsWrongOrUnsafeChangesNothing) {
  write(keys({first}, "[log]\nlevel = \"error\""));
  start();
  Client client(port);
  const auto refused = [&](const std::string& why, const std::string& what) {
    EXPECT_THAT(hang_up(), AllOf(HasSubstr("SIGHUP: nothing is taken over"), HasSubstr(what)))
        << why;
    EXPECT_EQ(status_of(client, first), 200) << why;
    EXPECT_EQ(status_of(client, other_key), 401) << why;
  };
  write(keys({other_key}, "[log]\nlevel = \"trace\""), 0644);
  refused("open to others", "chmod 600");
  write(keys({other_key}, "[log]\nlevel = \"trace\"") + "nonsense\n");
  refused("no TOML", "aima.toml:5");
  write(keys({other_key}, "[log]\nlevel = \"trace\"") + "there_is_no_such_setting = 1\n");
  refused("an unknown key", "unknown key");
  write(keys({other_key, "with a blank"}, "[log]\nlevel = \"trace\""));
  refused("no key", "key 2 has a blank");
  fs::remove(folder / "aima.toml");
  refused("it is gone", "is not a file");
  ASSERT_EQ(mkfifo((folder / "aima.toml").c_str(), 0600), 0);
  refused("a pipe that nobody writes to", "is not a file");
  EXPECT_THAT(text_of("log"), Not(HasSubstr("model.list: 200"))) << "the level is still error";
  EXPECT_THAT(text_of("log"), AllOf(Not(HasSubstr(first)), Not(HasSubstr(other_key))));
}

TEST_F(Reload, TheLastKeyOfAnAddressForOthersStays) {
  options.addr.reset();
  write(keys({first}, "addr = \"0.0.0.0:0\""));
  start();
  Client client(port);
  write(keys({}, "addr = \"0.0.0.0:0\""));
  EXPECT_THAT(hang_up(), HasSubstr("nothing is taken over"));
  EXPECT_EQ(status_of(client, first), 200);
  EXPECT_EQ(status_of(client, ""), 401);
  // The file would be right for a daemon that starts with it; this one listens elsewhere.
  write(keys({}, "addr = \"127.0.0.1:0\""));
  EXPECT_THAT(hang_up(), AllOf(HasSubstr("nothing is taken over"), HasSubstr("0.0.0.0")));
  EXPECT_EQ(status_of(client, first), 200);
  EXPECT_EQ(status_of(client, ""), 401);
}

TEST_F(Reload, OnLoopbackTheLastKeyMayGo) {
  write(keys({first}));
  start();
  Client client(port);
  EXPECT_EQ(status_of(client, ""), 401);
  write("");
  EXPECT_THAT(hang_up(), AllOf(HasSubstr("API keys: 0 (0 new, 1 removed)"),
                               HasSubstr("no API key is left")));
  EXPECT_EQ(status_of(client, ""), 200);
  EXPECT_THAT(client.ask(get("/api/system/info")), HasSubstr("\"api_key_needed\":false"));
  write(keys({first}));
  EXPECT_THAT(hang_up(), HasSubstr("API keys: 1 (1 new, 0 removed)"));
  EXPECT_EQ(status_of(client, ""), 401);
  EXPECT_EQ(status_of(client, first), 200);
}

TEST_F(Reload, WhatNeedsARestartIsNamed) {
  write(keys({first}, "shutdown_timeout = \"30s\""));
  start();
  write(keys({first}, "shutdown_timeout = \"31s\"\n[limits]\nconnections = 77"));
  EXPECT_THAT(hang_up(), HasSubstr("changed in the file and taken over only by a restart: "
                                   "shutdown_timeout, limits.connections"));
  write(keys({first}, "shutdown_timeout = \"30000ms\"\n[limits]\nheader_bytes = 16384"));
  EXPECT_THAT(hang_up(), Not(HasSubstr("restart"))) << "written otherwise, and meant alike";
}

TEST_F(Reload, WithoutAFileThereIsNothingToRead) {
  options.config_file.reset();
  start();
  EXPECT_THAT(hang_up(), HasSubstr("there is no file to read again"));
  EXPECT_THAT(Client(port).ask(get("/ready")), StartsWith("HTTP/1.1 200"));
}

// Every key that the program takes is either taken over by SIGHUP or noticed as needing a restart.
TEST_F(Reload, NoSettingIsForgotten) {
  const auto load = [this](const std::string& text) {
    write(text);
    StartOptions only_file;
    only_file.config_file = (folder / "aima.toml").string();
    return load_config(only_file);
  };
  const auto refused = load("there_is_no_such_setting = 1\n");
  ASSERT_FALSE(refused);
  const std::string& text = refused.error().message;
  const auto at = text.find("the keys are ");
  ASSERT_NE(at, std::string::npos) << text;
  std::istringstream words(text.substr(at + 13));
  const auto running = load("");
  ASSERT_TRUE(running);
  std::ofstream(folder / "keys") << first << '\n';
  chmod((folder / "keys").c_str(), 0600);
  int count = 0;
  for (std::string key; words >> key; ++count) {
    if (key.ends_with(',')) key.pop_back();
    bool noticed = false;
    for (const std::string value : {"\"127.0.0.1:1\"", "\"/elsewhere\"", "\"native\"", "\"17s\"",
                                    "\"7000-7001\"", "\"memory\"", "\"sqlite\"", "\"json\"",
                                    "\"error\"", "5000"}) {
      const auto dot = key.find('.');
      const auto read = load(dot == std::string::npos
                                 ? key + " = " + value + "\n"
                                 : "[" + key.substr(0, dot) + "]\n" + key.substr(dot + 1) + " = " +
                                       value + "\n");
      if (!read) continue;
      const auto named = settings_for_restart(*running, *read);
      if (key == "stores.all") {
        noticed = noticed || !named.empty();
      } else if (!named.empty()) {
        EXPECT_THAT(named, ElementsAre(key));
        noticed = true;
      }
    }
    EXPECT_NE(noticed, is_taken_over(key)) << key;
  }
  EXPECT_GT(count, 20);
  EXPECT_THAT(settings_for_restart(*running, *running), IsEmpty());
}

}  // namespace
}  // namespace aima
