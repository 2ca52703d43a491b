// A run's folder and its ports: its own, and nobody else's.
#include "harness/target/workspace.h"

#include <gmock/gmock.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "harness/base/unique_fd.h"
#include "harness/target/ports.h"
#include "harness/target/process_info.h"
#include "harness/target/run_test_support.h"

namespace harness {
namespace {

TEST(Ports, OneThatIsListenedOnIsTakenWithEitherProtocol) {
  for (const int family : {AF_INET, AF_INET6}) {
    const UniqueFd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 address = {};  // the port lies at the same place in both
    address.sin6_family = static_cast<sa_family_t>(family);
    if (family == AF_INET6) address.sin6_addr = in6addr_loopback;
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof address;
    if (::bind(listener.get(), where, size) != 0) continue;  // no IPv6 here
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    socklen_t length = sizeof address;
    ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    EXPECT_FALSE(port_is_free(ntohs(address.sin6_port)));
    EXPECT_EQ(is_own_listener(ntohs(address.sin6_port)), family == AF_INET);
  }
}

// In a network of this thread's own, where the kernel hands out what it is told to.
TEST(Ports, AreNeverThoseThatTheKernelHandsOut) {
  bool tried = false;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback = {};
    std::string("lo").copy(loopback.ifr_name, IFNAMSIZ - 1);
    loopback.ifr_flags = IFF_UP;
    if (::ioctl(any.get(), SIOCSIFFLAGS, &loopback) != 0) return;
    const auto set = [](const char* name, const char* value) {
      return static_cast<bool>(std::ofstream(std::string("/proc/sys/net/ipv4/") + name)
                               << value << std::flush);
    };
    const auto claims_within = [](int low, int high) {
      for (int times = 0; times < 20; ++times) {
        const auto one = claim_port();
        const auto block = claim_port_block();
        ASSERT_TRUE(one && block);
        EXPECT_TRUE(one->first < low || one->last > high) << one->first;
        EXPECT_TRUE(block->last < low || block->first > high) << block->first;
      }
    };
    if (!set("ip_local_port_range", "20005 28888")) return;
    tried = true;
    claims_within(20005, 28888);
    ASSERT_TRUE(set("ip_local_port_range", "1024 65535"));
    ASSERT_TRUE(set("ip_local_reserved_ports", "22000-22003,25000-25050"));
    EXPECT_THAT(claim_port()->first, testing::AllOf(testing::Ge(22000), testing::Le(22003)));
    EXPECT_THAT(claim_port_block()->first, testing::AnyOf(25000, 25020));
    ASSERT_TRUE(set("ip_local_reserved_ports", "\n"));
    EXPECT_TRUE(claim_port() && claim_port_block()) << "better than none";
  }).join();
  if (!tried) GTEST_SKIP() << "needs root: it makes a network of its own";
}

TEST(Workspace, IsPrivateNamedAndGoneAtTheEnd) {
  const std::string run = fresh_run("workspace");
  std::filesystem::path root;
  {
    auto workspace = Workspace::create(run);
    ASSERT_TRUE(workspace) << workspace.error().message;
    root = (*workspace)->root();
    EXPECT_EQ(root.filename(), "aima-run-" + run);
    EXPECT_EQ(std::filesystem::status(root).permissions(), std::filesystem::perms::owner_all);
    (*workspace)->note("debts", Json::array({1}));
    const Json notes = Json::parse(read_text((root / "run.json").string()));
    EXPECT_EQ(notes["pid"], ::getpid());
    EXPECT_EQ(notes["debts"], Json::array({1}));
    std::filesystem::create_directories(root / "a" / "b");
    std::filesystem::permissions(root / "a", std::filesystem::perms::none);
    EXPECT_FALSE(Workspace::create(run)) << "one run id, one workspace";
  }
  EXPECT_FALSE(std::filesystem::exists(root));
}

TEST(Workspace, PortsAreClaimedAcrossWorkspaces) {
  auto one = Workspace::create(fresh_run("ports-1"));
  auto two = Workspace::create(fresh_run("ports-2"));
  ASSERT_TRUE(one && two);
  EXPECT_NE((*one)->port(), (*two)->port());
  EXPECT_NE((*one)->engine_ports(), (*two)->engine_ports());
  EXPECT_EQ((*one)->engine_ports().second - (*one)->engine_ports().first, 19);
  EXPECT_EQ((*one)->extra_port("proxy"), (*one)->extra_port("proxy"));
  EXPECT_NE((*one)->extra_port("proxy"), (*one)->port());
  EXPECT_TRUE(port_is_free((*one)->port()));
}
}  // namespace
}  // namespace harness
