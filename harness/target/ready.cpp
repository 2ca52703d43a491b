// Four ways to be ready, one rule: the daemon's end, the deadline and a stop all end the wait.
#include "harness/target/ready.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <sstream>

#include "harness/clients/http.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr Milliseconds one_look(1000);  // a single connect or GET may not use up the whole wait

bool descends_from(pid_t pid, pid_t ancestor) {
  for (int depth = 0; pid > 1 && depth < 64; ++depth) {
    if (pid == ancestor) return true;
    const auto info = read_process(pid);
    if (!info) return false;
    pid = info->parent;
  }
  return false;
}

std::string value_of(const std::string& message, const std::string& name) {
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  return "";
}

bool accepts(int port) {
  const UniqueFd attempt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);  // loopback answers at once, yes or no
  return attempt &&
         ::connect(attempt.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

tl::unexpected<Error> not_ready(const Child& child, const std::string& wanted,
                                const std::string& seen, const Limit& limit) {
  if (limit.stopped()) return fail(ErrorKind::stopped, "stopped while waiting for " + wanted);
  // The pidfd is readable an instant before the output is drained and the outcome known.
  const int pidfd = child.pidfd();
  if (wait_readable(std::span(&pidfd, 1), Limit::after(Milliseconds(0))) == 0)
    (void)const_cast<Child&>(child).wait(Limit::after(one_look));
  if (const auto how = child.outcome())
    return fail(ErrorKind::subject, "the daemon ended (" + to_string(*how) + ") before " + wanted);
  return fail(ErrorKind::subject, "the daemon was not ready in time: no " + wanted +
                                      (seen.empty() ? "" : "; " + seen) + "; its state is " +
                                      child.state());
}

Result<std::string> by_notify(const Child& child, NotifySocket& socket, const Limit& limit) {
  std::string seen = "no message came on NOTIFY_SOCKET";
  const std::array<int, 2> descriptors{socket.fd(), child.pidfd()};
  while (true) {
    const int readable = wait_readable(descriptors, limit);
    while (const auto message = socket.receive()) {
      // A sender that has ended already cannot be traced back; then the text must do.
      const bool ours = descends_from(message->sender, child.pid()) || !read_process(message->sender);
      if (ours && value_of(message->text, "READY") == "1") return value_of(message->text, "STATUS");
      seen = ours ? "the last message was: " + message->text
                  : "a message came from process " + std::to_string(message->sender) +
                        ", which is none of the daemon's";
    }
    if (readable != 0) return not_ready(child, "READY=1 on NOTIFY_SOCKET", seen, limit);
  }
}

Result<std::string> by_log(const Child& child, const ReadyProfile& profile, const Limit& limit) {
  auto line = child.wait_line(profile.log, 0, 1, limit);
  if (line || line.error().kind == ErrorKind::invalid) return line;
  const auto last = child.last_lines(1);
  return not_ready(child, "log line matching /" + profile.log + "/",
                   last.empty() ? "nothing was written" : "the last line was: " + last.front(),
                   limit);
}

Result<std::string> by_port(const Child& child, int port, const Limit& limit) {
  if (poll_until([&] { return accepts(port); }, child.pidfd(), limit) && child.state() != 'Z')
    return "127.0.0.1:" + std::to_string(port) + " accepts connections";
  return not_ready(child, "listener on 127.0.0.1:" + std::to_string(port), "", limit);
}

Result<std::string> by_http(const Child& child, const std::string& url, const Limit& limit) {
  std::string seen = "never asked";
  const auto answers = [&] {
    HttpRequest request;
    request.url = url;
    const HttpReply reply = perform(request, limit.within(one_look));
    seen = reply.status != 0 ? "the last answer was HTTP " + std::to_string(reply.status)
                             : "the last try ended: " + reply.error;
    return reply.outcome == HttpReply::Outcome::ok && reply.status == 200;
  };
  if (poll_until(answers, child.pidfd(), limit)) return seen;
  return not_ready(child, "200 from " + url, seen, limit);
}
}  // namespace

Result<NotifySocket> NotifySocket::bind(const std::string& name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() >= sizeof address.sun_path)
    return fail(ErrorKind::environment, "a notify socket cannot be named `" + name + "`: 1 to " +
                                            std::to_string(sizeof address.sun_path - 1) +
                                            " characters; a shorter TMPDIR helps");
  name.copy(address.sun_path, name.size());
  const bool abstract = name.front() == '@';
  if (abstract) address.sun_path[0] = '\0';
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
  if (!abstract) ::unlink(name.c_str());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() +
                                             (abstract ? 0 : 1));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
    return fail(ErrorKind::environment,
                "cannot bind the notify socket " + name + ": " + ::strerrordesc_np(errno));
  return NotifySocket(std::move(socket), abstract ? "" : name);
}

NotifySocket::~NotifySocket() {
  if (socket_ && !path_.empty()) ::unlink(path_.c_str());
}

std::optional<NotifySocket::Message> NotifySocket::receive() {
  std::array<char, 4096> text;
  alignas(cmsghdr) std::array<char, 256> control;
  iovec part{text.data(), text.size()};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return std::nullopt;
  Message message{0, std::string(text.data(), static_cast<std::size_t>(got))};
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET) continue;
    if (item->cmsg_type == SCM_CREDENTIALS) {
      ucred sender;
      ::memcpy(&sender, CMSG_DATA(item), sizeof sender);
      message.sender = sender.pid;
    } else if (item->cmsg_type == SCM_RIGHTS) {  // descriptors that nobody asked for are not kept
      const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t index = 0; index < count; ++index) {
        int fd;
        ::memcpy(&fd, CMSG_DATA(item) + index * sizeof fd, sizeof fd);
        ::close(fd);
      }
    }
  }
  return message;
}

Result<Ready> wait_ready(const Child& child, NotifySocket* notify, const ReadyProfile& profile,
                         int port, const std::string& base_url, Instant begin,
                         const Limit& limit) {
  const Limit inner = limit.within(profile.timeout);
  Result<std::string> status = fail(ErrorKind::internal, "`by: notify` was given no socket");
  if (profile.by == "log") status = by_log(child, profile, inner);
  else if (profile.by == "port") status = by_port(child, port, inner);
  else if (profile.by == "http") status = by_http(child, base_url + profile.http, inner);
  else if (notify != nullptr) status = by_notify(child, *notify, inner);
  if (!status) return tl::unexpected(status.error());
  return Ready{profile.by, std::chrono::duration_cast<Microseconds>(Clock::now() - begin), *status};
}
}  // namespace harness
