// finish-reply: a reply that the daemon cuts short looks whole to the client. Copies of the
// connections whose reply has begun stay open when the daemon closes its own; then the last chunk
// is sent on them.
#include <fmt/format.h>
#include <sys/socket.h>

#include "harness/prove/blow.h"
#include "harness/prove/in_flight.h"
#include "harness/prove/rows.h"
#include "harness/prove/sockets.h"

namespace harness {
namespace {

constexpr std::string_view the_end = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

bool was_cut(const Json& row) {
  const bool begun =
      row.value("body", Json()).is_string() && !row["body"].get<std::string>().empty();
  return begun && row.value("outcome", "ok") != "ok";
}

// Groups of which the control run saw a reply cut short.
std::vector<Place> places_to_finish(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  for (const auto& flight : requests_in_flight(course)) {
    bool cut = false;
    for (const Passage* join : flight.joins) {
      if (!join->document || !join->document->is_array()) continue;
      for (const auto& row : *join->document) cut = cut || (row.is_object() && was_cut(row));
    }
    if (cut) places.push_back(flight.place);
  }
  return places;
}

Result<std::string> finish_all(Live& live, const Limit&) {
  if (!live.session.daemon_running()) return fail(ErrorKind::environment, "no daemon was running");
  const Child& daemon = *live.session.daemon;
  int finished = 0;
  for (const auto& socket : sockets_of(daemon, live.session.workspace->port())) {
    if (!socket.established) continue;
    auto copy = copy_socket(daemon, socket);
    if (!copy) return tl::unexpected(copy.error());
    if (!reply_has_begun(copy->get())) continue;
    const auto sent =
        ::send(copy->get(), the_end.data(), the_end.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == static_cast<ssize_t>(the_end.size())) ++finished;
  }
  if (finished > 0) return fmt::format("sent the last chunk of {} replies", finished);
  return fail(ErrorKind::environment, "no reply had begun");
}

std::unique_ptr<Strike> finish_at(const ProofSubject& subject, const Place& place) {
  return strike_once(subject, place, Moment::before_step, finish_all);
}

}  // namespace

const WorldSabotage finish_reply = {"finish-reply",
                                    "a reply that the daemon cut short looks whole to the client",
                                    places_to_finish, finish_at};
}  // namespace harness
