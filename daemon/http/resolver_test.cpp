// Names that no name server answers for, in a network of our own: there 127.0.0.1:53 takes every
// question and says nothing.
#include "daemon/http/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace aima::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr int no_namespaces = 77;

void write_file(const char* path, const std::string& text) {
  std::ofstream(path) << text;
}

// This very process from now on: silence where a name server should be. False: not allowed here.
bool silence_name_servers(const std::string& resolv_conf) {
  const auto user = geteuid(), group = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0) return false;
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1\n");
  write_file("/proc/self/gid_map", "0 " + std::to_string(group) + " 1\n");
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  if (mount(resolv_conf.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) return false;
  const int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ioctl(server, SIOCSIFFLAGS, &request) == 0 &&
         bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

int threads() {
  return static_cast<int>(std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

class SilentNameServer : public ::testing::Test {
 protected:
  SilentNameServer() {
    char name[] = "/tmp/aima-resolver-test.XXXXXX";
    close(mkstemp(name));
    resolv_conf_ = name;
    std::ofstream(resolv_conf_) << "nameserver 127.0.0.1\noptions timeout:30 attempts:3\n";
  }
  ~SilentNameServer() override { std::filesystem::remove(resolv_conf_); }

  // `check` in a process in which names are not answered; it says on stderr what is wrong.
  void there(const std::function<bool()>& check) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(20);  // a hang is a failure
      if (!silence_name_servers(resolv_conf_)) _exit(no_namespaces);
      _exit(check() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == no_namespaces) {
      GTEST_SKIP() << "no user and network namespaces here";
    }
    EXPECT_EQ(status, 0) << "hung, or said why above";
  }

 private:
  std::string resolv_conf_;
};

bool said(const Result<Response>& answer, const char* code, const char* words,
          Clock::duration took, Clock::duration least, Clock::duration most) {
  const bool right = !answer && answer.error().code == code &&
                     answer.error().message.find(words) != std::string::npos && took >= least &&
                     took <= most;
  if (!right) {
    std::fprintf(stderr, "after %lld ms: %s\n", static_cast<long long>(took / 1ms),
                 answer ? "answered" : (answer.error().code + ": " + answer.error().message).c_str());
  }
  return right;
}

Client client_of(const char* url) { return Client(*Endpoint::parse(url)); }

TEST_F(SilentNameServer, IsAnErrorAtTheDeadline) {
  there([] {
    Client client = client_of("tcp://engine.example:2375");
    const auto begin = Clock::now();
    const auto answer = client.send({}, 300ms);
    return said(answer, "timeout", "\"engine.example\"", Clock::now() - begin, 300ms, 3s);
  });
}

TEST_F(SilentNameServer, IsCutAtOnceByAStop) {
  there([] {
    Client client = client_of("http://engine.example:2375");
    std::stop_source source;
    std::jthread stopper([&] {
      while (threads() < 3) std::this_thread::yield();  // the question is under way
      source.request_stop();
    });
    const auto begin = Clock::now();
    const auto answer = client.send({}, 15s, source.get_token());
    return said(answer, "cancelled", "engine.example", Clock::now() - begin, 0ms, 5s);
  });
}

TEST_F(SilentNameServer, CostsOneThreadForAllThatWait) {
  there([] {
    bool right = true;
    std::vector<std::jthread> clients;
    for (int i = 0; i < 20; ++i) {
      clients.emplace_back([&right] {
        Client client = client_of("tcp://engine.example:2375");
        if (client.send({}, 200ms)) right = false;
      });
    }
    clients.clear();
    const int left = threads();
    if (left != 2) std::fprintf(stderr, "%d threads\n", left);
    return right && left == 2;  // ours, and one that still asks
  });
}

TEST_F(SilentNameServer, IsNotNeededForDigitsAndKnownHosts) {
  there([] {
    // Nobody listens in this network, and that is told at once: the address was found.
    for (const char* url : {"tcp://127.0.0.1:2375", "tcp://[::1]:2375", "tcp://localhost:2375"}) {
      Client client = client_of(url);
      const auto begin = Clock::now();
      if (!said(client.send({}, 10s), "unreachable", "cannot be reached", Clock::now() - begin, 0ms,
                5s)) {
        return false;
      }
    }
    return true;
  });
}

TEST(Resolver, SaysWhyThereIsNoAddress) {
  const Wake wake;
  const auto end = Clock::now() + 20s;
  const auto found = resolve("localhost", "80", end, wake);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_NE(found->get(), nullptr);
  const auto none = resolve("no host has blanks", "80", end, wake);
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message, HasSubstr("the address of \"no host has blanks\""));
}

}  // namespace
}  // namespace aima::http
