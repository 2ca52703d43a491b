// cut-reply: the connections of requests in flight are shut down in the daemon's place, before a
// background group is joined.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/freeze.h"
#include "harness/prove/in_flight.h"
#include "harness/prove/rows.h"
#include "harness/prove/sockets.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

std::vector<Place> places_to_cut(const ProofSubject& subject) {
  std::vector<Place> places;
  for (const auto& flight : requests_in_flight(Course(subject))) places.push_back(flight.place);
  return places;
}

// A client asks again by itself where a connection that it kept ends before any reply: it must see one
// begin.
constexpr std::string_view begun = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{";

// How long a client may take, on a busy machine, to go with its whole reply or to ask for the next.
constexpr Milliseconds acts_within(1000);

Result<std::vector<UniqueFd>> connections_of(const Child& daemon, int port) {
  std::vector<UniqueFd> copies;
  for (const auto& socket : sockets_of(daemon, port)) {
    if (!socket.established) continue;
    auto copy = copy_socket(daemon, socket);
    if (!copy) return tl::unexpected(copy.error());
    copies.push_back(std::move(*copy));
  }
  return copies;
}

// A reply that its client has whole cannot be cut: while the daemon is frozen such a client goes, and
// who is left waits for a reply, or for the rest of one.
Result<void> let_the_answered_go(const Child& daemon, int port, const Limit& limit) {
  Result<void> looked;
  (void)poll_until(
      [&] {
        const auto copies = connections_of(daemon, port);
        if (!copies) looked = tl::unexpected(copies.error());
        return !copies || std::none_of(copies->begin(), copies->end(), [](const UniqueFd& copy) {
          return reply_has_begun(copy.get());
        });
      },
      -1, limit.within(acts_within));
  return looked;
}

bool has_asked(const UniqueFd& connection) {
  int waiting = 0;
  return ::ioctl(connection.get(), FIONREAD, &waiting) == 0 && waiting > 0;
}

// Between two requests there is nothing to cut: while the daemon is frozen who keeps a connection
// asks over it again. False: nobody did.
bool await_requests(const std::vector<UniqueFd>& connections, const Limit& limit) {
  (void)poll_until(
      [&] { return std::all_of(connections.begin(), connections.end(), has_asked); }, -1,
      limit.within(acts_within));
  return std::any_of(connections.begin(), connections.end(), has_asked);
}

Result<std::string> cut_all(Live& live, bool keeps_connections, const Limit& limit) {
  if (!live.session.daemon_running()) return fail(ErrorKind::environment, "no daemon was running");
  const Child& daemon = *live.session.daemon;
  const int port = live.session.workspace->port();
  Freeze freeze(live.session.daemon);
  if (auto frozen = freeze.freeze(limit); !frozen) return tl::unexpected(frozen.error());
  if (!keeps_connections)
    if (auto gone = let_the_answered_go(daemon, port, limit); !gone)
      return tl::unexpected(gone.error());
  const auto copies = connections_of(daemon, port);
  if (!copies) return tl::unexpected(copies.error());
  if (keeps_connections && !await_requests(*copies, limit))
    return fail(ErrorKind::environment, "no request was in flight");
  int cut = 0;
  for (const auto& copy : *copies) {
    if (keeps_connections)
      (void)::send(copy.get(), begun.data(), begun.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (::shutdown(copy.get(), SHUT_RDWR) == 0) ++cut;
  }
  if (cut > 0) return fmt::format("shut {} connections down", cut);
  return fail(ErrorKind::environment, "no request was in flight");
}

std::unique_ptr<Strike> cut(const ProofSubject& subject, const Place& place) {
  const Course course(subject);
  const Passage* passage = course.find(place.step);
  const bool joins = passage && passage->step->kind == "join";
  bool keeps = false;
  for (const auto& flight : requests_in_flight(course))
    if (flight.place.step == place.step) keeps = flight.keeps_connections;
  return strike_once(subject, place, joins ? Moment::before_step : Moment::after_step,
                     [keeps](Live& live, const Limit& limit) { return cut_all(live, keeps, limit); });
}

}  // namespace

const WorldSabotage cut_reply = {"cut-reply", "requests in flight are cut", places_to_cut, cut};
}  // namespace harness
