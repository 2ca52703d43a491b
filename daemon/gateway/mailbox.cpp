#include "daemon/gateway/mailbox.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace aima {

void Mailbox::deliver(Action action) {
  if (io_.get_executor().running_in_this_thread()) return action();
  std::unique_lock lock(mutex_);
  if (closed_) {
    lock.unlock();
    return boost::asio::post(io_, std::move(action));
  }
  waiting_.push_back(std::move(action));
  if (std::exchange(posted_, true)) return;
  lock.unlock();
  boost::asio::post(io_, [self = shared_from_this()] { self->empty(); });
}

void Mailbox::empty() {
  {
    const std::lock_guard lock(mutex_);
    posted_ = false;
    if (taken_.empty())
      taken_.swap(waiting_);
    else  // an action threw: what came after it goes first
      std::move(waiting_.begin(), waiting_.end(), std::back_inserter(taken_));
    waiting_.clear();
  }
  // An action may end what it belongs to, never the mailbox: the turn holds it.
  for (auto& action : taken_)
    if (action) std::exchange(action, nullptr)();
  taken_.clear();
}

void Mailbox::close() {
  std::vector<Action> dropped;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(waiting_);
}

}  // namespace aima
