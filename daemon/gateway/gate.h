// Who is let in: API keys and the limit per client address, asked once for every request, between
// its head and the router. CONTRACT.md, section 6. I/O thread only.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "daemon/gateway/message.h"
#include "daemon/gateway/rate_limiter.h"

namespace aima {

struct GateOptions {
  std::vector<std::string> api_keys;  // each 1 to 256 bytes; empty: everyone is let in
  std::int64_t rate_limit = 0;        // requests a second and address; 0: no limit
  std::int64_t rate_burst = 0;        // 0: as many as rate_limit
};

// Keys that can be compared, and nothing else: they are never handed out again.
class ApiKeys {
 public:
  explicit ApiKeys(const std::vector<std::string>& keys);
  bool empty() const { return keys_.empty(); }
  std::size_t size() const { return keys_.size(); }
  // How many of these are not among those.
  std::size_t missing_in(const ApiKeys& those) const;
  // A name for the key that `sent` is: the same over restarts, and the key cannot be told from it.
  // Null: none of them. Takes the same time however much of `sent` is right and however long the
  // keys are.
  const std::string* name_of(std::string_view sent) const;

 private:
  struct Key {
    std::array<unsigned char, 256> bytes{};  // padded with zeros
    std::size_t length = 0;
    std::string name;
  };
  static Key padded(std::string_view text);
  std::vector<Key> keys_;
};

struct KeyChange {
  std::size_t held = 0;  // afterwards
  std::size_t added = 0;
  std::size_t removed = 0;
};

class Gate {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Gate(const GateOptions& options);

  // Holds for every request that is checked from now on.
  KeyChange replace_keys(const std::vector<std::string>& keys);
  bool needs_key() const { return !keys_.empty(); }
  bool stands_open() const { return keys_.empty() && !limiter_; }  // `check` lets everyone in
  struct Visitor {
    std::optional<std::string_view> authorization;  // nothing: missing, or given more than once
    std::function<boost::asio::ip::address()> peer;  // called only where the address matters
    Clock::time_point now;
  };
  // Nothing: let in, and the request has the name of its key. Else 401 with WWW-Authenticate, or
  // 429 with Retry-After.
  std::optional<HttpReply> check(HttpRequest& request, const Visitor& visitor);

  std::uint64_t refused_keys() const { return refused_keys_; }    // 401
  std::uint64_t refused_rates() const { return refused_rates_; }  // 429

 private:
  HttpReply unauthorized(const HttpRequest& request, const Visitor& visitor, bool key_given);
  HttpReply too_many(const HttpRequest& request, Clock::duration wait);

  ApiKeys keys_;
  const std::int64_t rate_;
  std::unique_ptr<RateLimiter> limiter_;
  std::uint64_t refused_keys_ = 0;
  std::uint64_t refused_rates_ = 0;
  std::uint64_t told_keys_ = 0;  // of refused_keys_, those that the log knows of
  Clock::time_point tell_again_{};
};

}  // namespace aima
