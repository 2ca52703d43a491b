// The merge of defaults, file and flags, and what a wrong value is told.
#include "daemon/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "daemon/config/duration.h"

namespace aima {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ConfigFile : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    std::ofstream(path_) << text;
    return path_;
  }
  ConfigError refused(const std::string& text) {
    StartOptions options;
    options.config_file = write(text);
    const auto config = load_config(options);
    EXPECT_FALSE(config.has_value());
    return config ? ConfigError{} : config.error();
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_ = testing::TempDir() + "config_test_" + std::to_string(getpid()) + ".toml";
};

// Nothing in a file ends the process: it would be the running daemon's, at a SIGHUP.
TEST_F(ConfigFile, WhatIsNoSettingsFileIsRefusedWithoutReadingItAll) {
  std::string parts;
  for (int count = 0; count < 200'000; ++count) parts += "a.";
  for (const std::string& text : {"\n" + parts + "a = 1\n", "\n[" + parts + "a]\n",
                                  "\n[[" + parts + "a]]\n", "\nx = {" + parts + "a = 1}\n"}) {
    EXPECT_EQ(refused(text).exit_status, 78);
    EXPECT_THAT(refused(text).message, HasSubstr(".toml:2: a key of more than 32 dots"));
  }
  EXPECT_THAT(refused("#" + std::string(1 << 20, '#') + "\n").message, HasSubstr("is over 1 MiB"));
  StartOptions options;
  options.config_file = "/dev/zero";
  const auto endless = load_config(options);
  ASSERT_FALSE(endless);
  EXPECT_THAT(endless.error().message, HasSubstr("/dev/zero is over 1 MiB"));
}

TEST_F(ConfigFile, DotsThatAreNotAKeysAreNotCounted) {
  const std::string dots(200, '.');
  StartOptions options;
  options.config_file =
      write("# " + dots + " it's \"\nlog.level = \"warn\" # " + dots +
            "\n[security]\napi_keys = [\"a\\\"" + dots + "\", '" + dots + "b', '''" + dots +
            "c''', \"\"\"" + dots + "\"d\"\"\"]\n");
  std::filesystem::permissions(path_, std::filesystem::perms::owner_read |
                                          std::filesystem::perms::owner_write);
  const auto config = load_config(options);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->log_level, "warn");
  EXPECT_EQ(config->security.api_keys.size(), 4);
}

TEST(Duration, ReadsUnits) {
  using std::chrono::milliseconds;
  EXPECT_EQ(parse_duration("30s"), milliseconds(30'000));
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("2m"), milliseconds(120'000));
  EXPECT_EQ(parse_duration("7"), milliseconds(7000));
  for (const char* wrong : {"", "s", "-1s", "1 s", "1d", "nan", "inf", "1e9h", "5sx"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Config, DefaultsAreTheContracts) {
  const auto config = load_config({});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->host, "127.0.0.1");
  EXPECT_EQ(config->port, 9090);
  EXPECT_EQ(config->shutdown_timeout, std::chrono::seconds(30));
  EXPECT_TRUE(config->data_dir.string().ends_with("/.aima/data")) << config->data_dir;
  EXPECT_TRUE(config->stores.empty());
}

TEST_F(ConfigFile, FlagsOverrideTheFile) {
  StartOptions options;
  options.config_file = write(
      "addr = \"127.0.0.1:1234\"\nshutdown_timeout = 5\ndrain_delay = \"3s\"\n"
      "[stores]\nall = \"sqlite\"\nalert = \"memory\"\n[log]\nlevel = \"warn\"\n");
  options.addr = "localhost:0";
  options.stores["skill"] = "memory";
  const auto config = load_config(options);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->port, 0);
  EXPECT_EQ(config->shutdown_timeout, std::chrono::seconds(5));
  EXPECT_EQ(config->drain_delay, std::chrono::seconds(3));
  EXPECT_EQ(config->log_level, "warn");
  EXPECT_EQ(config->stores.at("model"), "sqlite");
  EXPECT_EQ(config->stores.at("alert"), "memory");
  EXPECT_EQ(config->stores.at("skill"), "memory");
}

TEST_F(ConfigFile, AWrongKeyIsNamedWithItsLine) {
  const auto error = refused("addr = \"127.0.0.1:0\"\nshutdown_timout = \"5s\"\n");
  EXPECT_EQ(error.exit_status, 78);
  EXPECT_THAT(error.message, StartsWith(path_ + ":2: "));
  EXPECT_THAT(error.message, HasSubstr("did you mean \"shutdown_timeout\"?"));
}

TEST_F(ConfigFile, WrongValuesAndSyntaxAreNamedWithTheirLine) {
  EXPECT_THAT(refused("\n\nprovider = \"dokcer\"\n").message, StartsWith(path_ + ":3: provider"));
  EXPECT_THAT(refused("[stores]\nmodels = \"memory\"\n").message, StartsWith(path_ + ":2: "));
  EXPECT_THAT(refused("[stores]\nmodel = \"disk\"\n").message, HasSubstr("memory and sqlite"));
  EXPECT_THAT(refused("[log]\nlevel = true\n").message, StartsWith(path_ + ":2: "));
  EXPECT_THAT(refused("[logs]\nlevel = \"info\"\n").message, HasSubstr("log.level"));
  EXPECT_THAT(refused("addr = \n").message, StartsWith(path_ + ":1: "));
  EXPECT_THAT(refused("[nothing]\n").message, StartsWith(path_ + ":1: unknown key"));
}

TEST_F(ConfigFile, AMissingFileIsRefusedAndAnEmptyOneIsNot) {
  StartOptions options;
  options.config_file = write("");
  EXPECT_TRUE(load_config(options));
  options.config_file = "/nonexistent/aima.toml";
  const auto config = load_config(options);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().exit_status, 78);
  EXPECT_THAT(config.error().message, HasSubstr("/nonexistent/aima.toml"));
}

TEST(Config, AFlagsWrongValueIsAUsageError) {
  const auto refused = [](auto member, const char* value) {
    StartOptions options;
    options.*member = value;
    const auto config = load_config(options);
    return config ? ConfigError{0, "accepted"} : config.error();
  };
  EXPECT_EQ(refused(&StartOptions::addr, "9090").exit_status, 64);
  EXPECT_EQ(refused(&StartOptions::addr, "127.0.0.1:70000").exit_status, 64);
  EXPECT_THAT(refused(&StartOptions::addr, "0.0.0.0:9090").message, HasSubstr("loopback"));
  EXPECT_THAT(refused(&StartOptions::addr, "127.0.0.1.evil:1").message,
              HasSubstr("not an address in digits"));
  EXPECT_THAT(refused(&StartOptions::engine_ports, "9000-8000").message, HasSubstr("A-B"));
  EXPECT_THAT(refused(&StartOptions::shutdown_timeout, "soon").message, HasSubstr("30s"));
  EXPECT_THAT(refused(&StartOptions::drain_delay, "-1s").message, HasSubstr("--drain-delay"));
  EXPECT_THAT(refused(&StartOptions::log_format, "xml").message, HasSubstr("text, json"));
}

}  // namespace
}  // namespace aima
