// How many requests one client address may send: a token bucket each, in a table of fixed size.
//
// A bucket is one time (GCRA): when the client will have paid for what it took. A place whose time
// has passed is as good as empty, so that nothing has to be swept. Where all places of a set are in
// use, a further address shares the one that has paid soonest and goes on from its time: many
// addresses can neither grow the table nor get more out of it than its places allow.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <boost/asio/ip/address.hpp>

namespace aima {

class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t sets = 2048;
  static constexpr std::size_t ways = 4;

  // `rate` requests a second, `burst` at once after a pause; both at least 1.
  RateLimiter(std::int64_t rate, std::int64_t burst);

  // Takes one request; or answers how long to wait until one would be taken. IPv4 by address (also
  // where it comes mapped into IPv6), IPv6 by its first 64 bits: a subscriber has that many.
  std::optional<Clock::duration> take(const boost::asio::ip::address& peer, Clock::time_point now);

 private:
  struct Place {
    std::array<std::uint64_t, 2> address{};
    Clock::time_point paid{};  // in the past: nothing is owed, the place is free
  };
  Place& place_of(const boost::asio::ip::address& peer, Clock::time_point now);

  const Clock::duration cost_;       // of one request
  const Clock::duration allowance_;  // how far `paid` may lie ahead
  const std::array<std::uint64_t, 2> secret_;  // nobody can choose addresses that share a set
  std::vector<Place> places_;
};

}  // namespace aima
