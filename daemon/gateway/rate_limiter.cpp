// See rate_limiter.h.
#include "daemon/gateway/rate_limiter.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

namespace aima {
namespace {

using Words = std::array<std::uint64_t, 2>;

Words secret_words() {
  std::random_device kernel;
  const auto word = [&kernel] { return (std::uint64_t{kernel()} << 32) | kernel(); };
  return {word() | 1, word() | 1};
}

Words words_of(const boost::asio::ip::address& peer) {
  using boost::asio::ip::make_address_v4;
  if (peer.is_v4()) return {0, std::uint64_t{1} << 32 | peer.to_v4().to_uint()};
  const auto v6 = peer.to_v6();
  if (v6.is_v4_mapped()) {
    return words_of(make_address_v4(boost::asio::ip::v4_mapped, v6));
  }
  const auto bytes = v6.to_bytes();
  Words words{};
  std::memcpy(words.data(), bytes.data(), 8);
  words[1] = std::uint64_t{2} << 32;
  return words;
}

std::uint64_t mix(std::uint64_t value, std::uint64_t secret) {
  const auto product = static_cast<unsigned __int128>(value ^ secret) * (secret | 1);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

RateLimiter::RateLimiter(std::int64_t rate, std::int64_t burst)
    : cost_(Clock::duration(std::chrono::seconds(1)) / std::max<std::int64_t>(rate, 1)),
      allowance_(cost_ * std::max<std::int64_t>(burst, 1)),
      secret_(secret_words()),
      places_(sets * ways) {}

RateLimiter::Place& RateLimiter::place_of(const boost::asio::ip::address& peer,
                                          Clock::time_point now) {
  const Words words = words_of(peer);
  const std::uint64_t hash = mix(mix(words[0], secret_[0]) ^ words[1], secret_[1]);
  const auto begin = places_.begin() + static_cast<std::ptrdiff_t>((hash % sets) * ways);
  const auto end = begin + ways;
  const auto own =
      std::find_if(begin, end, [&](const Place& place) { return place.address == words; });
  if (own != end) return *own;
  const auto soonest = std::min_element(
      begin, end, [](const Place& a, const Place& b) { return a.paid < b.paid; });
  soonest->address = words;
  soonest->paid = std::max(soonest->paid, now);
  return *soonest;
}

std::optional<RateLimiter::Clock::duration> RateLimiter::take(
    const boost::asio::ip::address& peer, Clock::time_point now) {
  Place& place = place_of(peer, now);
  const auto paid = std::max(place.paid, now) + cost_;
  if (paid - now > allowance_) return paid - now - allowance_;
  place.paid = paid;
  return std::nullopt;
}

}  // namespace aima
