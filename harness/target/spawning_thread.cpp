// The thread that every child is born on, declared in spawn.h: a child that asks to die with its parent
// dies with the thread that bore it.
#include <signal.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <queue>
#include <thread>
#include <utility>

#include "harness/target/spawn.h"

namespace harness {
namespace {

// A thread that outlives every run. Never joined: it ends with the process.
class Spawner {
 public:
  static Spawner& instance() {
    static auto* spawner = new Spawner;  // not destroyed: its thread uses it to the last
    return *spawner;
  }
  void run(const std::function<void()>& work);

 private:
  using Work = std::packaged_task<void()>;
  Spawner() {
    std::thread([this] { serve(); }).detach();
  }
  [[noreturn]] void serve() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // signals are for the main thread
    while (true) {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [this] { return !queue_.empty(); });
      Work work = std::move(queue_.front());
      queue_.pop();
      lock.unlock();
      work();
    }
  }
  std::mutex mutex_;
  std::condition_variable filled_;
  std::queue<Work> queue_;
};

void Spawner::run(const std::function<void()>& work) {
  Work packed(work);
  auto done = packed.get_future();
  {
    const std::lock_guard lock(mutex_);
    queue_.push(std::move(packed));
  }
  filled_.notify_one();
  done.get();
}
}  // namespace

void on_spawning_thread(const std::function<void()>& work) { Spawner::instance().run(work); }
}  // namespace harness
