// Stopping to accept, where the kernel does not let us keep new connections out.
#include "daemon/gateway/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace aima {
namespace {

using namespace std::chrono_literals;

// Does not wait: the listener may be dropping it.
void connect_once(std::uint16_t port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address);
  close(descriptor);
}

// Whoever is accepted brings a next one along, so the queue never gets empty by itself.
int stop_in_a_flood() {
  boost::asio::io_context io{1};
  Listener* open = nullptr;
  int accepted = 0;
  Listener listener(io, [&](boost::asio::ip::tcp::socket) {
    ++accepted;
    connect_once(open->port());
  });
  open = &listener;
  if (!listener.listen("127.0.0.1", 0)) return 2;
  connect_once(listener.port());
  return listener.stop() == accepted ? 0 : 1;
}

TEST(Listener, StopsWithoutPrivilegesInAFloodOfConnections) {
  const pid_t child = fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    if (geteuid() == 0 && (setgid(nobody) != 0 || setuid(nobody) != 0)) _exit(126);
    _exit(stop_in_a_flood());
  }
  const auto limit = std::chrono::steady_clock::now() + 10s;
  int status = 0;
  pid_t ended = 0;
  while ((ended = waitpid(child, &status, WNOHANG)) == 0 &&
         std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(1ms);
  }
  if (ended == 0) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
  ASSERT_EQ(ended, child) << "stop() went on accepting for 10 s";
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace aima
