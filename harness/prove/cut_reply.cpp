// cut-reply: the connections of requests in flight are shut down in the daemon's place, before a
// background group is joined.
#include <fmt/format.h>
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

// How long a client may take to go that has its whole reply, on a busy machine.
constexpr Milliseconds goes_within(1000);

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
      -1, limit.within(goes_within));
  return looked;
}

Result<std::string> cut_all(Live& live, bool keeps_connections, const Limit& limit) {
  if (!live.session.daemon_running()) return fail(ErrorKind::environment, "no daemon was running");
  const Child& daemon = *live.session.daemon;
  const int port = live.session.workspace->port();
  Freeze freeze(live.session.daemon);
  if (!keeps_connections) {
    if (auto frozen = freeze.freeze(limit); !frozen) return tl::unexpected(frozen.error());
    if (auto gone = let_the_answered_go(daemon, port, limit); !gone)
      return tl::unexpected(gone.error());
  }
  const auto copies = connections_of(daemon, port);
  if (!copies) return tl::unexpected(copies.error());
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
