// Waiting until a daemon says, or shows, that it is ready. Ends early when the daemon ends.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "harness/base/unique_fd.h"
#include "harness/target/child.h"
#include "harness/target/profile.h"

namespace harness {

// The receiving end of NOTIFY_SOCKET (sd_notify(3)): a path, or "@name" for an abstract socket.
class NotifySocket {
 public:
  static Result<NotifySocket> bind(const std::string& name);
  NotifySocket(NotifySocket&&) noexcept = default;
  NotifySocket& operator=(NotifySocket&&) noexcept = default;
  ~NotifySocket();  // removes the path

  struct Message {
    pid_t sender = 0;  // as the kernel says it, never as the text does
    std::string text;  // lines NAME=VALUE
  };
  std::optional<Message> receive();  // does not wait
  int fd() const { return socket_.get(); }

 private:
  NotifySocket(UniqueFd socket, std::string path)
      : socket_(std::move(socket)), path_(std::move(path)) {}
  UniqueFd socket_;
  std::string path_;
};

struct Ready {
  std::string by;          // notify | log | port | http
  Microseconds after{0};   // since `begin`
  std::string status;      // the daemon's own words: STATUS= of its message, or the line that matched
};

// Waits as `profile` says, at most profile.timeout and within `limit`. `notify` is needed for by:
// notify. `port` is for by: port, `base_url` for by: http; texts have their ${…} already replaced.
// `begin`: the instant of the spawn. Errors: subject when the daemon ended or was not ready in time
// (with what was last seen), stopped, or environment.
Result<Ready> wait_ready(const Child& child, NotifySocket* notify, const ReadyProfile& profile,
                         int port, const std::string& base_url, Instant begin, const Limit& limit);
}  // namespace harness
