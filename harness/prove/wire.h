// Between the daemon and whoever asks it: every connection to its port is answered by us, with what
// the daemon says, or with a lie. The port, the process and the client stay as they are.
//
// A copy of the daemon's listening socket is ours (pidfd_getfd). While the daemon is frozen nobody
// else takes connections from it, so the client's comes to us; the daemon goes on for the time of
// our own request to it, and is frozen again before the client has its answer.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "harness/prove/freeze.h"

namespace harness {

struct WireRequest {
  std::string method;
  std::string target;                          // path and query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct WireReply {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;
  bool cut = false;  // half of the body, then the end of the connection
};

// Falsifies the daemon's reply and says what it falsified; "" where it left it. Called on a thread
// of the wire.
using Falsify = std::function<std::string(const WireRequest& request, WireReply& reply)>;

class Wire {
 public:
  // From its return every connection goes through it. An error where the daemon does not listen on
  // the port or its socket cannot be copied.
  static Result<std::unique_ptr<Wire>> tap(std::shared_ptr<Child> daemon, int port, Falsify falsify,
                                           const Limit& limit);
  ~Wire() { end(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // The daemon goes on by itself; a request in the wire is cut off.
  void end();
  // What was falsified first, and how often something was: "" for nothing.
  std::string falsified() const;
  int requests() const;  // how many came through

 private:
  Wire(std::shared_ptr<Child> daemon, int port, UniqueFd listening, Falsify falsify)
      : freeze_(std::move(daemon)),
        port_(port),
        listening_(std::move(listening)),
        falsify_(std::move(falsify)) {}
  void serve(const std::stop_token& stop);
  void answer(UniqueFd client, const Limit& limit);

  Freeze freeze_;
  int port_;
  UniqueFd listening_;
  Falsify falsify_;
  mutable std::mutex mutex_;
  std::string falsified_;
  int lies_ = 0;
  int requests_ = 0;
  std::jthread thread_;
};
}  // namespace harness
