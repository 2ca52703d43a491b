// libjq.so calls its own jv_mem_* and the C library's __assert_fail through the dynamic linker, which
// finds the definitions of the program first. harness_scenario_test checks that it does.
#include "harness/scenario/jq_guard.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include <fmt/format.h>

namespace harness {
namespace {

// libjq takes some 270 bytes for a level of nesting and up to 500 of stack to walk through it.
constexpr std::size_t stack_bytes = 512u << 20;
constexpr std::size_t hard_bytes = 2 * jq_most_bytes;
constexpr std::size_t large_block = 1u << 20;
constexpr unsigned allocations_between_looks = 4096;
constexpr Milliseconds patience{500};  // of the clock behind the halt's
constexpr unsigned long retries = 1'000'000;  // of Oniguruma: some 20 ms

thread_local JqMeter* metered = nullptr;
}  // namespace

// libjq's side of a meter.
struct JqAllocator {
  [[noreturn]] static void leave(JqMeter& meter, const char* why) {
    std::snprintf(meter.why_, sizeof meter.why_, "%s", why);
    ::longjmp(*static_cast<jmp_buf*>(meter.back_), 1);
  }

  static void count_new(void* block) {
    JqMeter* meter = metered;
    if (meter == nullptr || block == nullptr) return;
    meter->bytes_ += static_cast<std::ptrdiff_t>(::malloc_usable_size(block));
    if (meter->bytes_ <= static_cast<std::ptrdiff_t>(jq_most_bytes) || meter->too_large_) return;
    meter->too_large_ = true;
    if (meter->halt_) meter->halt_();
  }

  static void count_gone(void* block) {
    if (metered == nullptr || block == nullptr) return;
    metered->bytes_ -= static_cast<std::ptrdiff_t>(::malloc_usable_size(block));
  }

  // Before it is allocated: nothing is lost yet but what the operation held.
  static void look(std::size_t wanted) {
    JqMeter* meter = metered;
    if (meter == nullptr) return;
    const unsigned number = ++meter->allocations_;
    if (!meter->may_leave_) return;
    const auto hard = static_cast<std::ptrdiff_t>(hard_bytes);
    if (wanted > hard_bytes || meter->bytes_ + static_cast<std::ptrdiff_t>(wanted) > hard) {
      meter->too_large_ = true;
      leave(*meter, "needed too much memory in one operation");
    }
    if (wanted < large_block && number % allocations_between_looks != 0) return;
    // The halt comes first and leaves the state whole; this is for one operation that takes for ever.
    if (Clock::now() > meter->deadline_) leave(*meter, "took too long in one operation");
  }

  static void* out_of_memory() {
    if (metered != nullptr && metered->may_leave_) leave(*metered, "was refused memory");
    std::fputs("out of memory\n", stderr);
    std::abort();
  }

  [[noreturn]] static void asserted(const char* assertion, const char* file, unsigned line) {
    char why[200];
    std::snprintf(why, sizeof why, "broke libjq (%s)", assertion);
    if (metered != nullptr && metered->may_leave_) leave(*metered, why);
    std::fprintf(stderr, "%s:%u: assertion `%s' failed.\n", file, line, assertion);
    std::abort();
  }
};

namespace {

void limit_oniguruma() {
  using Set = int (*)(unsigned long);
  for (const char* name : {"onig_set_retry_limit_in_match", "onig_set_retry_limit_in_search"}) {
    if (auto set = reinterpret_cast<Set>(::dlsym(RTLD_DEFAULT, name))) set(retries);
  }
}

// A thread that does one thing at a time for whoever took it from the pool.
class DeepThread {
 public:
  // Null where the machine gives no such stack.
  static std::unique_ptr<DeepThread> start() {
    auto thread = std::make_unique<DeepThread>();
    void* stack = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return nullptr;
    thread->stack_ = static_cast<char*>(stack);
    ::mprotect(stack, static_cast<std::size_t>(::getpagesize()), PROT_NONE);
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstack(&attributes, stack, stack_bytes);
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigset_t all, before;
    sigfillset(&all);  // signals are for the threads that expect them
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t id;
    const int failed = ::pthread_create(&id, &attributes, &DeepThread::main, thread.get());
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::pthread_attr_destroy(&attributes);
    if (failed == 0) return thread;
    ::munmap(stack, stack_bytes);
    return nullptr;
  }

  void run(const std::function<void()>& work) {
    std::unique_lock lock(mutex_);
    work_ = &work;
    changed_.notify_all();
    changed_.wait(lock, [&] { return work_ == nullptr; });
  }

 private:
  static void* main(void* self) {
    static_cast<DeepThread*>(self)->serve();
    return nullptr;
  }

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return work_ != nullptr; });
      lock.unlock();
      (*work_)();
      lock.lock();
      work_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void()>* work_ = nullptr;

 public:
  // What a deep recursion touched is given back; `here` is where the stack stands now.
  void give_back_stack(char* here) const {
    const auto page = static_cast<std::size_t>(::getpagesize());
    const auto used = static_cast<std::size_t>(here - stack_);
    if (used < 64 * page || used > stack_bytes) return;
    ::madvise(stack_ + page, (used / page - 32) * page, MADV_DONTNEED);
  }

 private:
  char* stack_ = nullptr;
};

// Threads that wait for work; never destroyed, as they are never joined.
struct Idle {
  std::mutex mutex;
  std::vector<DeepThread*> threads;
};
Idle& idle() {
  static Idle* only = new Idle;
  return *only;
}

DeepThread* take_thread() {
  {
    std::lock_guard lock(idle().mutex);
    if (!idle().threads.empty()) {
      DeepThread* thread = idle().threads.back();
      idle().threads.pop_back();
      return thread;
    }
  }
  return DeepThread::start().release();
}

}  // namespace

// By itself, so that no variable of another function is in a register that longjmp restores.
[[gnu::noinline]] bool JqMeter::step(const std::function<void()>& call) {
  jmp_buf back;
  back_ = &back;
  if (::setjmp(back) == 0) {
    may_leave_ = true;
    call();
    may_leave_ = false;
    return true;
  }
  may_leave_ = false;
  broken_ = why_;
  return false;
}

JqMeter run_guarded(std::function<void()> halt, Milliseconds limit,
                    const std::function<void(JqMeter&)>& work) {
  [[maybe_unused]] static const bool once = (limit_oniguruma(), true);
  JqMeter meter;
  meter.deadline_ = Clock::now() + limit + patience;
  meter.halt_ = std::move(halt);
  DeepThread* thread = take_thread();
  const std::function<void()> guarded = [&] {
    metered = &meter;
    work(meter);
    metered = nullptr;
    char here = 0;
    // Only what grew much can have nested deep.
    if (thread != nullptr && meter.allocations_ > 20'000) thread->give_back_stack(&here);
  };
  if (thread == nullptr) {
    guarded();
    return meter;
  }
  thread->run(guarded);
  std::lock_guard lock(idle().mutex);
  idle().threads.push_back(thread);
  return meter;
}
}  // namespace harness

// What libjq calls instead of its own.
extern "C" {
void* jv_mem_alloc(size_t size) {
  harness::JqAllocator::look(size);
  void* block = std::malloc(size);
  if (block == nullptr) return harness::JqAllocator::out_of_memory();
  harness::JqAllocator::count_new(block);
  return block;
}

void* jv_mem_alloc_unguarded(size_t size) {
  harness::JqAllocator::look(size);
  void* block = std::malloc(size);
  harness::JqAllocator::count_new(block);
  return block;
}

void* jv_mem_calloc(size_t count, size_t size) {
  harness::JqAllocator::look(count * size);
  void* block = std::calloc(count, size);
  if (block == nullptr) return harness::JqAllocator::out_of_memory();
  harness::JqAllocator::count_new(block);
  return block;
}

char* jv_mem_strdup(const char* text) {
  const size_t size = std::strlen(text) + 1;
  return static_cast<char*>(std::memcpy(jv_mem_alloc(size), text, size));
}

void* jv_mem_realloc(void* block, size_t size) {
  harness::JqAllocator::look(size);
  harness::JqAllocator::count_gone(block);
  void* moved = std::realloc(block, size);
  if (moved == nullptr) return harness::JqAllocator::out_of_memory();
  harness::JqAllocator::count_new(moved);
  return moved;
}

void jv_mem_free(void* block) {
  harness::JqAllocator::count_gone(block);
  std::free(block);
}

// The C library's, for all of the program: an assertion of libjq's own ends the evaluation only.
void __assert_fail(const char* assertion, const char* file, unsigned int line,
                   const char* function) noexcept {
  (void)function;
  harness::JqAllocator::asserted(assertion, file, line);
}
}
