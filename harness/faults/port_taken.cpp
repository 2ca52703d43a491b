// port-taken: a stranger listens on the daemon's port while the daemon is down.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <span>

#include "harness/faults/common.h"
#include "harness/faults/rows.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

StepShape shape_of_port_taken() {
  return {"port-taken",
          "fault",
          "Listens on the daemon's port, or another, while nobody else does; proof: a connection.",
          "port",
          {{"port", ValueKind::text, false, "which one (the daemon's)"}},
          false,
          false,
          "fault: {port-taken: {}}"};
}

sockaddr_in loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class PortTaken : public PreparedFault {
 public:
  explicit PortTaken(int port) : port_(port) {}
  Json undo() const override { return {{"fault", "port-taken"}, {"port", port_}}; }

  Result<Json> strike(const Limit& limit) override {
    const sockaddr_in address = loopback(port_);
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;  // connections that have just ended do not keep the port
    ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(listener.get(), where, sizeof address) != 0 || ::listen(listener.get(), 16) != 0)
      return fail(ErrorKind::environment, "port " + std::to_string(port_) + " cannot be taken: " +
                                              ::strerrordesc_np(errno) +
                                              "; is the daemon still up?");
    const UniqueFd visitor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(visitor.get(), where, sizeof address) != 0)
      return fail(ErrorKind::environment, "port " + std::to_string(port_) +
                                              " was bound but does not accept: " +
                                              ::strerrordesc_np(errno));
    // It came to our listener, not to somebody else's.
    const int arrived = listener.get();
    if (wait_readable(std::span(&arrived, 1), limit.within(proof_time)) != 0)
      return fail(ErrorKind::environment, "somebody else than the fault answers on port " +
                                              std::to_string(port_));
    listener_ = std::move(listener);
    return Json{{"port", port_}, {"listening", true}, {"connected", true}};
  }
  Result<Json> heal(const Limit&) override {
    listener_.reset();
    return Json{{"port", port_}, {"listening", false}};
  }

 private:
  int port_;
  UniqueFd listener_;
};

Result<std::unique_ptr<PreparedFault>> prepare_port_taken(Session& session,
                                                          const Arguments& arguments) {
  const auto port = arguments.integer_or("port", session.workspace->port());
  if (port < 1 || port > 65535)
    return fail(ErrorKind::invalid, "port " + std::to_string(port) + " is not between 1 and 65535");
  return std::make_unique<PortTaken>(static_cast<int>(port));
}

// The kernel closed the listener with the harness that held it.
Result<Json> heal_dead_listener(const Json& undo, const Limit&) {
  return Json{{"port", undo.value("port", 0)}, {"listening", false}};
}
}  // namespace

const Fault port_taken_fault{shape_of_port_taken, prepare_port_taken, heal_dead_listener};
}  // namespace harness
