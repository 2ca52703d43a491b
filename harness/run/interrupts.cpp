// One thread, one signalfd.
#include "harness/run/interrupts.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <array>

namespace harness {
namespace {

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  return set;
}

// As if the signal had never been handled: the shell sees which one it was.
void die_of(int number) {
  ::signal(number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(number);
}

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = watched();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  sigset_t continuation;  // read by LatenessWatch; a stopped process is continued all the same
  sigemptyset(&continuation);
  sigaddset(&continuation, SIGCONT);
  ::pthread_sigmask(SIG_BLOCK, &continuation, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  thread_ = std::jthread([this](std::stop_token done) { watch(std::move(done)); });
}

Interrupts::~Interrupts() {
  thread_.request_stop();
  ::eventfd_write(wake_.get(), 1);
}

void Interrupts::watch(std::stop_token done) {
  int seen = 0;
  while (!done.stop_requested()) {
    std::array<pollfd, 2> polled = {{{signals_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    ::poll(polled.data(), polled.size(), -1);
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
      ++seen;
      const int number = static_cast<int>(info.ssi_signo);
      if (seen == 1) {
        signal_.store(number);
        stop_.request_stop();
      } else if (seen == 2) {
        hurry_.request_stop();
      } else {
        die_of(number);
      }
    }
  }
}
}  // namespace harness
