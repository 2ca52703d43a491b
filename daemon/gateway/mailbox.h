// What other threads want done on the I/O thread, in the order they asked.
//
// One turn of the I/O thread takes all that wait. Posted one by one, each of the answers to a group
// of writes would take the scheduler's lock, and most of them wake the thread, while the writer
// could be at its next group.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <boost/asio/io_context.hpp>

namespace aima {

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  using Action = std::move_only_function<void()>;

  // `io` outlives every call of `deliver`.
  explicit Mailbox(boost::asio::io_context& io) : io_(io) {}

  // Any thread. On the I/O thread `action` runs at once, else in a turn of that thread.
  void deliver(Action action);
  // Destroys what still waits: nobody will take it. What comes later is posted to `io` singly.
  void close();

 private:
  void empty();

  boost::asio::io_context& io_;
  std::mutex mutex_;
  std::vector<Action> waiting_;
  std::vector<Action> taken_;  // I/O thread only; kept for its capacity
  bool posted_ = false;
  bool closed_ = false;
};

}  // namespace aima
