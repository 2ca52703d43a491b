// Where the next child is born: in a cgroup, in a PID namespace. For spawn.cpp and pid_namespace.cpp.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/base/unique_fd.h"

namespace harness {

// Like vfork, into a cgroup: the child runs on this very stack, so who calls this must not return from
// the function that it is inlined into. Answers the pid, 0 in the child, or -errno.
[[gnu::always_inline]] inline long vfork_into(int group) {
  clone_args arguments = {};
  arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<__u64>(group);
#if defined(__x86_64__)
  long result = SYS_clone3;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(&arguments), "S"(sizeof arguments)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long number asm("x8") = SYS_clone3;
  register long first asm("x0") = reinterpret_cast<long>(&arguments);
  register long second asm("x1") = sizeof arguments;
  asm volatile("svc #0" : "+r"(first) : "r"(number), "r"(second) : "memory");
  return first;
#else
  return -ENOSYS;
#endif
}

// The PID namespace that this thread's next children are born in, until it goes.
class NextChildrenIn {
 public:
  explicit NextChildrenIn(int pid_namespace) {
    if (pid_namespace < 0) return;
    own_.reset(::open("/proc/thread-self/ns/pid", O_RDONLY | O_CLOEXEC));
    if (!own_ || ::setns(pid_namespace, CLONE_NEWPID) != 0) error_ = errno;
  }
  ~NextChildrenIn() {
    if (own_) ::setns(own_.get(), CLONE_NEWPID);
  }
  NextChildrenIn(const NextChildrenIn&) = delete;
  NextChildrenIn& operator=(const NextChildrenIn&) = delete;
  int error() const { return error_; }

 private:
  UniqueFd own_;
  int error_ = 0;
};
}  // namespace harness
