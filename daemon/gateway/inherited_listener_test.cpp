// LISTEN_FDS in processes of their own: descriptor 3 and the environment are the test's to arrange.
#include "daemon/gateway/inherited_listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>

namespace aima {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr int passed = 3;

enum class Meant { this_process, another };

struct Passing {
  std::function<int()> open;  // the descriptor that becomes 3; none: 3 is closed
  std::string count = "1";
  Meant meant = Meant::this_process;
  std::string names = "http";
};

std::string told(const Result<std::optional<InheritedListener>>& taken) {
  std::string text = !taken    ? taken.error().message
                     : !*taken ? "nothing"
                               : (*taken)->host() + " " + std::to_string((*taken)->port());
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
    if (std::getenv(name) != nullptr) text += std::string(" with ") + name;
  }
  const int flags = fcntl(passed, F_GETFD);
  return text + (flags < 0 ? ", 3 closed" : (flags & FD_CLOEXEC) ? ", 3 cloexec" : ", 3 open");
}

// What take_inherited_listener does in a process that was started so.
std::string taken_when(const Passing& passing) {
  int report[2];
  if (pipe(report) != 0) return "no pipe";
  const int out = fcntl(report[1], F_DUPFD, 20);
  const pid_t child = fork();
  if (child == 0) {
    const int made = passing.open ? passing.open() : -1;
    close(passed);
    if (made >= 0 && made != passed) dup2(made, passed);
    const pid_t meant = passing.meant == Meant::this_process ? getpid() : getppid();
    setenv("LISTEN_PID", std::to_string(meant).c_str(), 1);
    setenv("LISTEN_FDS", passing.count.c_str(), 1);
    setenv("LISTEN_FDNAMES", passing.names.c_str(), 1);
    const std::string text = told(take_inherited_listener());
    [[maybe_unused]] const auto written = write(out, text.data(), text.size());
    _exit(0);
  }
  close(report[1]);
  close(out);
  std::string text;
  char block[512];
  for (ssize_t got; (got = read(report[0], block, sizeof block)) > 0;) {
    text.append(block, static_cast<std::size_t>(got));
  }
  close(report[0]);
  waitpid(child, nullptr, 0);
  return text;
}

int bound(int family, int type, bool listening) {
  const int descriptor = socket(family, type, 0);
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  socklen_t size = sizeof(sockaddr_in6);
  if (family == AF_INET) {
    size = sizeof(sockaddr_in);
    reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else if (family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
  } else {
    size = sizeof(sa_family_t);  // the kernel names it
  }
  bind(descriptor, reinterpret_cast<sockaddr*>(&address), size);
  if (listening) listen(descriptor, 5);
  return descriptor;
}

int tcp_listener() { return bound(AF_INET, SOCK_STREAM, true); }

TEST(InheritedListener, IsTakenOnceAndKeptFromChildren) {
  const std::string taken = taken_when({.open = tcp_listener});
  EXPECT_THAT(taken, StartsWith("127.0.0.1 "));
  EXPECT_THAT(taken, testing::EndsWith(", 3 cloexec"));
  EXPECT_THAT(taken, testing::Not(HasSubstr("with LISTEN")));
}

TEST(InheritedListener, ItsFamilyIsTheSockets) {
  EXPECT_THAT(taken_when({.open = [] { return bound(AF_INET6, SOCK_STREAM, true); }}),
              StartsWith("::1 "));
}

// A shell or a wrapper between the manager and us leaves the variables, and descriptor 3 may be
// anything.
TEST(InheritedListener, WhatIsMeantForAnotherProcessIsLeftAlone) {
  EXPECT_EQ(taken_when({.open = tcp_listener, .meant = Meant::another}), "nothing, 3 open");
  EXPECT_EQ(taken_when({.open = tcp_listener, .count = "0"}), "nothing, 3 open");
}

TEST(InheritedListener, WhatIsNoListeningTcpSocketIsRefusedByItsKind) {
  const auto refusal = [](std::function<int()> open) { return taken_when({std::move(open)}); };
  EXPECT_THAT(refusal([] { return bound(AF_INET, SOCK_STREAM, false); }),
              HasSubstr("descriptor 3 is not listening"));
  EXPECT_THAT(refusal([] { return bound(AF_INET, SOCK_DGRAM, false); }),
              HasSubstr("a datagram socket"));
  EXPECT_THAT(refusal([] { return bound(AF_UNIX, SOCK_STREAM, true); }),
              HasSubstr("a unix socket"));
  EXPECT_THAT(refusal([] { return open("/dev/null", O_RDONLY); }), HasSubstr("is no socket"));
  EXPECT_THAT(refusal({}), HasSubstr("is not open"));
}

TEST(InheritedListener, SeveralSocketsAreRefusedByName) {
  const std::string refusal =
      taken_when({.open = tcp_listener, .count = "2", .names = "http:metrics"});
  EXPECT_THAT(refusal, HasSubstr("2 sockets are passed (http:metrics)"));
  EXPECT_THAT(taken_when({.open = tcp_listener, .count = "many"}),
              HasSubstr("\"many\" is no number"));
}

}  // namespace
}  // namespace aima
