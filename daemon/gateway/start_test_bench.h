// For tests of the whole daemon in a process of its own: run_start is called in a forked child, as
// main() would call it.
#pragma once
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "daemon/gateway/start.h"
#include "daemon/gateway/test_support.h"

namespace aima::testing_support {

namespace fs = std::filesystem;

class DaemonProcess : public testing::Test {
 protected:
  DaemonProcess() {
    char pattern[] = "/tmp/aima-start-test-XXXXXX";
    folder = mkdtemp(pattern);
    notify_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder / "notify").string().copy(address.sun_path, sizeof address.sun_path - 1);
    bind(notify_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    options.addr = "127.0.0.1:0";
    options.provider = "native";
    options.data_dir = (folder / "data").string();
  }
  ~DaemonProcess() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(notify_);
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  pid_t spawn(const StartOptions& with, const fs::path& log) {
    const pid_t child = fork();
    if (child != 0) return child;
    setenv("NOTIFY_SOCKET", (folder / "notify").c_str(), 1);
    unsetenv("AIMA_LABELS");
    if (const char* labels = std::getenv("TEST_LABELS")) setenv("AIMA_LABELS", labels, 1);
    if (std::freopen(log.c_str(), "w", stderr) == nullptr) _exit(127);
    if (listener >= 0) {
      dup2(listener, 3);
      setenv("LISTEN_PID", std::to_string(listener_pid ? listener_pid : getpid()).c_str(), 1);
      setenv("LISTEN_FDS", "1", 1);
    }
    _exit(run_start(with));
  }
  // A daemon that goes on instead is killed after a while, and so ends with -SIGKILL.
  static int exit_of(pid_t child, std::chrono::milliseconds patience = 60s) {
    pollfd ended{static_cast<int>(syscall(SYS_pidfd_open, child, 0)), POLLIN, 0};
    if (poll(&ended, 1, static_cast<int>(patience.count())) == 0) kill(child, SIGKILL);
    close(ended.fd);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // Runs a daemon that is expected to refuse.
  int refused(const StartOptions& with) { return exit_of(spawn(with, folder / "refused"), 20s); }

  // The first line of the next message; `notified` has all of it.
  std::string notification(std::chrono::milliseconds patience = 20s) {
    pollfd watched{notify_, POLLIN, 0};
    notified = "silence";
    if (poll(&watched, 1, static_cast<int>(patience.count())) <= 0) return notified;
    char text[256];
    const auto count = recv(notify_, text, sizeof text, 0);
    notified.assign(text, count > 0 ? static_cast<std::size_t>(count) : 0);
    return notified.substr(0, notified.find('\n'));
  }
  void start() {
    pid_ = spawn(options, folder / "log");
    while (notification().starts_with("EXTEND_TIMEOUT_USEC=")) {  // a slow machine
    }
    ASSERT_EQ(notified.substr(0, 8), "READY=1\n") << text_of("log");
    const std::string log = text_of("log");
    const auto at = log.rfind("listening on http://");
    ASSERT_NE(at, std::string::npos) << log;
    const std::string url = log.substr(at + 20, log.find('\n', at) - at - 20);
    port = std::stoi(url.substr(url.rfind(':') + 1));
  }
  void signal(int number) { kill(pid_, number); }
  int end() { return exit_of(std::exchange(pid_, -1)); }
  std::string text_of(const std::string& name) {
    std::ifstream file(folder / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fs::path folder;
  StartOptions options;
  std::string notified;
  int listener = -1;       // becomes descriptor 3 of the daemon
  pid_t listener_pid = 0;  // who LISTEN_PID names; 0: the daemon
  int port = 0;

 private:
  int notify_ = -1;
  pid_t pid_ = -1;
};

}  // namespace aima::testing_support
