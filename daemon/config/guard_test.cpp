// The settings that guard the daemon: addresses, API keys, limits; and that no key is ever shown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/config/address.h"
#include "daemon/config/api_keys.h"
#include "daemon/config/config.h"

namespace aima {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* secret = "sesame-sesame-sesame-sesame";

class Guard : public testing::Test {
 protected:
  Guard() {
    char pattern[] = "/tmp/aima-guard-test-XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  ~Guard() override {
    unsetenv("AIMA_API_KEYS");
    unsetenv("AIMA_API_KEYS_FILE");
    std::filesystem::remove_all(folder_);
  }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const auto path = folder_ / name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path.string();
  }
  tl::expected<Config, ConfigError> load(const std::string& text, mode_t mode = 0600,
                                         const std::string& addr = "") {
    StartOptions options;
    options.config_file = write("aima.toml", text, mode);
    if (!addr.empty()) options.addr = addr;
    return load_config(options);
  }
  ConfigError refused(const std::string& text, mode_t mode = 0600, const std::string& addr = "") {
    const auto config = load(text, mode, addr);
    return config ? ConfigError{0, "accepted"} : config.error();
  }
  static std::string keys() { return std::string("[security]\napi_keys = [\"") + secret + "\"]\n"; }

  std::filesystem::path folder_;
};

TEST(Address, TellsWhetherOnlyThisMachineReachesIt) {
  const auto loopback = [](const char* text) {
    const auto address = parse_listen_address(text);
    return address && address->loopback;
  };
  for (const char* text : {"127.0.0.1:1", "127.9.8.7:1", "localhost:1", "LocalHost:1", ":1",
                           "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost.:1"}) {
    EXPECT_TRUE(loopback(text)) << text;
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[fe80::1%lo]:1", "128.0.0.1:1",
                           "[::ffff:10.0.0.1]:1", "[::ffff:0.0.0.0]:1", "[::127.0.0.1]:1"}) {
    EXPECT_TRUE(parse_listen_address(text)) << text;
    EXPECT_FALSE(loopback(text)) << text;
  }
  EXPECT_EQ(parse_listen_address("[::ffff:127.0.0.1]:7")->host, "127.0.0.1");
}

TEST(Address, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "9090", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1",
                           "127.0.0.1:65536", "127.1:1", "0x7f.0.0.1:1", "localhost.evil:1",
                           "example.com:1", "[127.0.0.1]:1", "[]:1", "127.0.0.1.evil:1"}) {
    EXPECT_FALSE(parse_listen_address(text)) << text;
  }
}

TEST_F(Guard, AnAddressForOthersNeedsAKey) {
  for (const char* addr : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"}) {
    EXPECT_EQ(refused("", 0600, addr).exit_status, 64) << addr;
    EXPECT_THAT(refused("", 0600, addr).message, HasSubstr("AIMA_API_KEYS")) << addr;
    EXPECT_TRUE(load(keys(), 0600, addr)) << addr;
  }
  EXPECT_EQ(refused("addr = \"0.0.0.0:0\"\n").exit_status, 78);
  EXPECT_TRUE(load("addr = \"0.0.0.0:0\"\n" + keys()));
  EXPECT_EQ(refused("addr = \"0.0.0.0:0\"\n[security]\napi_keys = []\n").exit_status, 78);
  EXPECT_TRUE(load("addr = \"0.0.0.0:0\"\n", 0600, "127.0.0.1:0")) << "the flag wins";
}

TEST_F(Guard, KeysComeFromThreePlaces) {
  setenv("AIMA_API_KEYS", " from-environment-one , from-environment-two,", 1);
  setenv("AIMA_API_KEYS_FILE", write("keys", "# ours\n\n  from-a-file-0001\r\n").c_str(), 1);
  const auto config = load(keys());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->security.api_keys, ElementsAre(secret, "from-a-file-0001",
                                                     "from-environment-one",
                                                     "from-environment-two"));
  const auto file = write("other", "only-this-one-here\n");
  const auto by_file = load("[security]\napi_keys_file = \"" + file + "\"\n");
  ASSERT_TRUE(by_file) << by_file.error().message;
  EXPECT_EQ(by_file->security.api_keys.front(), "only-this-one-here");
}

TEST_F(Guard, AFileWithKeysMustBePrivate) {
  for (const mode_t mode : {0644, 0640, 0604, 0666, 0620}) {
    const auto error = refused(keys(), mode);
    EXPECT_EQ(error.exit_status, 78) << std::oct << mode;
    EXPECT_THAT(error.message, HasSubstr("chmod 600 ")) << std::oct << mode;
    EXPECT_THAT(error.message, HasSubstr("aima.toml:2: ")) << std::oct << mode;
    setenv("AIMA_API_KEYS_FILE", write("keys", "a-key-in-a-file-1\n", mode).c_str(), 1);
    EXPECT_EQ(refused("").exit_status, 78) << std::oct << mode;
    unsetenv("AIMA_API_KEYS_FILE");
  }
  EXPECT_TRUE(load(keys(), 0400));
  EXPECT_TRUE(load("[log]\nlevel = \"warn\"\n", 0644)) << "nothing secret in it";
}

TEST_F(Guard, NoErrorShowsAKey) {
  const std::string long_key(257, 'k');
  const std::string key = secret;
  std::vector<std::string> texts{
      "[security]\napi_keys = \"" + key + "\"\n",
      "[security]\napi_keys = [\"" + key + " \"]\n",
      "[security]\napi_keys = [\"" + key + "\", 7]\n",
      "[security]\napi_keys = [\"" + key + "\\n\"]\n",
      "[security]\napi_keys = [\"" + key + "\"\n",
      "[security]\napi_keys = [\"" + key + "\", \"\"]\n",
      "[security]\napi_keys = [\"" + key + "\", \"" + long_key + "\"]\n",
      "[security]\napi_key = [\"" + key + "\"]\n",
      "[security]\napi_keys = {a = \"" + key + "\"}\n",
  };
  for (const std::string& text : texts) {
    const auto error = refused(text);
    EXPECT_EQ(error.exit_status, 78) << text;
    EXPECT_THAT(error.message, Not(HasSubstr("sesame"))) << text;
    EXPECT_THAT(error.message, HasSubstr("aima.toml:")) << text;
  }
  EXPECT_THAT(refused(texts[7]).message, HasSubstr("did you mean \"security.api_keys\"?"));
  setenv("AIMA_API_KEYS", (key + ",two words").c_str(), 1);
  EXPECT_THAT(refused("").message, HasSubstr("AIMA_API_KEYS: key 2 has a blank"));
  EXPECT_THAT(refused("").message, Not(HasSubstr("sesame")));
}

TEST_F(Guard, KeyFilesThatAreNoneAreRefused) {
  const auto file = [this](const std::string& path) {
    setenv("AIMA_API_KEYS_FILE", path.c_str(), 1);
    return refused("").message;
  };
  EXPECT_THAT(file(write("none", "# nothing\n\n")), HasSubstr("there is no key in it"));
  EXPECT_THAT(file("/nonexistent/keys"), HasSubstr("/nonexistent/keys"));
  EXPECT_THAT(file(folder_.string()), HasSubstr("it is not a file"));
  const auto pipe = (folder_ / "pipe").string();
  mkfifo(pipe.c_str(), 0600);
  EXPECT_THAT(file(pipe), HasSubstr("it is not a file"));
}

TEST_F(Guard, LimitsHaveTheirRanges) {
  const auto config = load(
      "[limits]\nheader_bytes = 8192\nbody_bytes = 2097152\nconnections = 50\n"
      "header_timeout = \"2s\"\nbody_timeout = \"500ms\"\nidle_timeout = 5\nwrite_timeout = \"1m\"\n"
      "[security]\nrate_limit = 20\nrate_burst = 40\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->limits.header_bytes, 8192);
  EXPECT_EQ(config->limits.body_bytes, 2'097'152);
  EXPECT_EQ(config->limits.connections, 50);
  EXPECT_EQ(config->limits.header_timeout, std::chrono::seconds(2));
  EXPECT_EQ(config->limits.body_timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(config->limits.idle_timeout, std::chrono::seconds(5));
  EXPECT_EQ(config->limits.write_timeout, std::chrono::minutes(1));
  EXPECT_EQ(config->security.rate_limit, 20);
  EXPECT_EQ(config->security.rate_burst, 40);
  for (const char* wrong : {"connections = 0", "connections = -1", "header_bytes = 10",
                            "header_timeout = 0", "idle_timeout = \"2h\"", "body_bytes = \"1MB\"",
                            "write_timeout = [\"1s\"]", "conections = 5"}) {
    const auto error = refused(std::string("[limits]\n") + wrong + "\n");
    EXPECT_EQ(error.exit_status, 78) << wrong;
    EXPECT_THAT(error.message, HasSubstr("aima.toml:2: ")) << wrong;
  }
  EXPECT_EQ(refused("[security]\nrate_limit = -1\n").exit_status, 78);
}

}  // namespace
}  // namespace aima
