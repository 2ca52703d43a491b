// See gate.h.
#include "daemon/gateway/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/base/sha256.h"
#include "daemon/gateway/envelope.h"
#include "daemon/log/log.h"

namespace aima {
namespace {

constexpr auto tell_every = std::chrono::seconds(10);

// The token of "Bearer TOKEN"; nothing for other schemes.
std::optional<std::string_view> bearer_token(std::string_view text) {
  static constexpr std::string_view scheme = "bearer ";
  if (text.size() < scheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != scheme[i]) return std::nullopt;
  }
  text.remove_prefix(scheme.size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

ApiKeys::Key ApiKeys::padded(std::string_view text) {
  Key key;
  key.length = text.size();
  std::copy_n(text.begin(), std::min(text.size(), key.bytes.size()), key.bytes.begin());
  return key;
}

ApiKeys::ApiKeys(const std::vector<std::string>& keys) {
  keys_.reserve(keys.size());
  for (const auto& text : keys) {
    Key key = padded(text);
    key.name = sha256_hex("aima client " + text).substr(0, 12);
    keys_.push_back(std::move(key));
  }
}

const std::string* ApiKeys::name_of(std::string_view sent) const {
  const Key key = padded(sent);
  std::uint64_t found = 0;  // 1 + its place
  for (std::size_t place = 0; place < keys_.size(); ++place) {
    const Key& known = keys_[place];
    std::uint64_t different = known.length ^ key.length;
    for (std::size_t i = 0; i < key.bytes.size(); ++i) {
      different |= static_cast<std::uint64_t>(known.bytes[i] ^ key.bytes[i]);
    }
    asm volatile("" : "+r"(different));  // no compiler may see that one byte decides it
    const std::uint64_t equal = ((different - 1) & ~different) >> 63;  // 1: it was 0
    found |= (0 - equal) & (place + 1);
  }
  return found == 0 ? nullptr : &keys_[found - 1].name;
}

std::size_t ApiKeys::missing_in(const ApiKeys& those) const {
  return static_cast<std::size_t>(std::count_if(keys_.begin(), keys_.end(), [&](const Key& key) {
    return std::none_of(those.keys_.begin(), those.keys_.end(),
                        [&](const Key& other) { return other.name == key.name; });
  }));
}

Gate::Gate(const GateOptions& options) : keys_(options.api_keys), rate_(options.rate_limit) {
  if (rate_ <= 0) return;
  limiter_ = std::make_unique<RateLimiter>(rate_,
                                           options.rate_burst > 0 ? options.rate_burst : rate_);
}

KeyChange Gate::replace_keys(const std::vector<std::string>& keys) {
  ApiKeys now(keys);
  const KeyChange change{now.size(), now.missing_in(keys_), keys_.missing_in(now)};
  keys_ = std::move(now);
  return change;
}

std::optional<HttpReply> Gate::check(HttpRequest& request, const Visitor& visitor) {
  if (stands_open()) return std::nullopt;
  const auto token =
      visitor.authorization ? bearer_token(*visitor.authorization) : std::nullopt;
  const std::string* name = token && !keys_.empty() ? keys_.name_of(*token) : nullptr;
  const bool known = keys_.empty() || name != nullptr;
  // Guessing keys costs tokens as well, on every route.
  if (limiter_ && !(known && request.path == "/ready")) {
    if (const auto wait = limiter_->take(visitor.peer(), visitor.now)) {
      return too_many(request, *wait);
    }
  }
  if (!known) return unauthorized(request, visitor, token.has_value());
  if (name != nullptr) request.client = *name;
  return std::nullopt;
}

HttpReply Gate::unauthorized(const HttpRequest& request, const Visitor& visitor,
                             bool key_given) {
  ++refused_keys_;
  if (visitor.now >= tell_again_) {
    log_warn("gateway", fmt::format("{} requests without a valid API key, the last one from {}",
                                    refused_keys_ - told_keys_, visitor.peer().to_string()));
    told_keys_ = refused_keys_;
    tell_again_ = visitor.now + tell_every;
  }
  HttpReply reply = refusal_reply(
      request,
      {401, "unauthorized",
       key_given ? "the API key that was sent is not one of this daemon's: give another with "
                   "--api-key or AIMA_API_KEY (header \"Authorization: Bearer KEY\")"
                 : "this daemon asks for an API key: give it with --api-key or AIMA_API_KEY "
                   "(header \"Authorization: Bearer KEY\")",
       nullptr});
  // RFC 6750, section 3.1: no error code where no key was sent.
  reply.headers.emplace_back("WWW-Authenticate",
                             key_given ? "Bearer error=\"invalid_token\"" : "Bearer");
  return reply;
}

HttpReply Gate::too_many(const HttpRequest& request, Clock::duration wait) {
  ++refused_rates_;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  HttpReply reply = refusal_reply(
      request,
      {429, "rate_limited",
       fmt::format("more than {} requests a second from your address: try again in {} s", rate_,
                   std::max<std::int64_t>(seconds, 1)),
       nullptr});
  reply.headers.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1)));
  return reply;
}

}  // namespace aima
