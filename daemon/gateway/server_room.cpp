// When there are as many connections as there may be. A new one takes the place of those who let us
// wait longest: idle ones first, then who stopped in the middle of a request or of taking a reply.
// Where nobody waits it is answered 503, and beyond a few of those connections wait in the kernel's
// queue. Descriptors never run out, nothing spins, and a crowd of slow clients keeps nobody out.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "daemon/gateway/envelope.h"
#include "daemon/gateway/server.h"
#include "daemon/log/log.h"

namespace aima {
namespace {

using Clock = Session::Clock;

constexpr auto may_stall = std::chrono::seconds(1);  // within a request: packets get lost
constexpr auto look_again = std::chrono::microseconds(1);  // for each connection looked through
constexpr auto tell_every = std::chrono::seconds(10);

struct Candidate {
  Session* session;
  bool idle;
  Clock::duration waited;
};

bool goes_before(const Candidate& a, const Candidate& b) {
  if (a.idle != b.idle) return a.idle;
  return a.waited > b.waited;
}

}  // namespace

bool Server::make_room() {
  const auto now = Clock::now();
  if (now >= look_for_room_again_) {
    std::vector<Candidate> waiting;
    for (const auto& [key, session] : sessions_) {
      const auto waited = session->crowded() ? std::nullopt : session->kept_waiting(now);
      if (!waited || (!session->idle() && *waited < may_stall)) continue;
      waiting.push_back({key, session->idle(), *waited});
    }
    // Some more than one, so that a flood does not look through all of them for each.
    const std::size_t wanted = std::max<std::size_t>(limits_.connections / 64, 1);
    const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, waiting.size()));
    std::partial_sort(waiting.begin(), end, waiting.end(), goes_before);
    std::size_t gone = 0;
    for (auto candidate = waiting.begin(); candidate != end; ++candidate) {
      gone += candidate->session->give_room() ? 1 : 0;
    }
    metrics_.count_evicted(gone);
    tell_about_room();
    if (gone > 0) return true;
    look_for_room_again_ = now + look_again * sessions_.size();
  }
  if (crowded_ + 1 >= limits_.crowded && !waiting_for_room_) {
    waiting_for_room_ = true;
    listener_.pause();
  }
  return false;
}

void Server::room_again() {
  if (!waiting_for_room_ || crowded_ >= limits_.crowded / 2) return;
  waiting_for_room_ = false;
  listener_.resume();
}

void Server::tell_about_room() {
  const auto now = Clock::now();
  if (now < tell_again_) return;
  tell_again_ = now + tell_every;
  log_warn("gateway", fmt::format("at the limit of {} connections ([limits] connections, and the "
                                  "descriptor limit): the longest idle ones are closed; {} so far",
                                  limits_.connections, metrics_.evicted()));
}

std::optional<HttpReply> Server::admit(const Session& session, HttpRequest& request,
                                       std::optional<std::string_view> authorization) {
  if (!session.crowded() && gate_.stands_open()) return std::nullopt;
  if (!router_.needs_key(request)) return std::nullopt;
  if (session.crowded()) {
    metrics_.count_crowded();
    return refusal_reply(
        request, {503, "too_many_connections",
                  fmt::format("there are {} connections, the most that are served: try again",
                              limits_.connections),
                  nullptr});
  }
  return gate_.check(request,
                     {authorization, [&session] { return session.peer(); }, Clock::now()});
}

}  // namespace aima
