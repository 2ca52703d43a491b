#include "daemon/units/idempotency.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "daemon/base/sha256.h"
#include "daemon/log/log.h"

namespace aima {
namespace {
constexpr std::size_t longest_key = 255;

Error reused(const AnswerKey& key, const std::string& first_unit) {
  const std::string what = first_unit == key.unit ? "with another input" : "for " + first_unit;
  return {422, "idempotency_key_reused",
          fmt::format("Idempotency-Key '{}' was used before {}; a new request needs a new key",
                      key.key, what),
          Json{{"header", "Idempotency-Key"}, {"unit", first_unit}}};
}
}  // namespace

class IdempotencyGuard::Claims {
 public:
  // Nothing: the key is ours until `release`.
  std::optional<Error> take(const AnswerKey& key) {
    const std::lock_guard lock(mutex_);
    const auto [at, taken] =
        under_way_.try_emplace({key.client, key.key}, UnderWay{key.unit, key.fingerprint});
    if (taken) return std::nullopt;
    if (at->second.fingerprint != key.fingerprint) return reused(key, at->second.unit);
    return Error{409, "idempotency_in_progress",
                 fmt::format("the first request with Idempotency-Key '{}' is still in progress: "
                             "ask again in a moment",
                             key.key),
                 Json{{"header", "Idempotency-Key"}, {"unit", key.unit}}};
  }
  void release(const AnswerKey& key) {
    const std::lock_guard lock(mutex_);
    under_way_.erase({key.client, key.key});
  }

 private:
  struct UnderWay {
    std::string unit;
    std::string fingerprint;
  };
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, UnderWay> under_way_;
};

// Given back when it goes, so that a unit that drops its Done leaves no key in progress for ever.
class IdempotencyGuard::Claim {
 public:
  Claim(std::shared_ptr<Claims> claims, AnswerKeyPtr key)
      : claims_(std::move(claims)), key_(std::move(key)) {}
  Claim(Claim&&) = default;
  Claim& operator=(Claim&&) = delete;
  ~Claim() { release(); }
  void release() {
    if (const auto claims = std::exchange(claims_, nullptr)) claims->release(*key_);
  }

 private:
  std::shared_ptr<Claims> claims_;
  AnswerKeyPtr key_;
};

IdempotencyGuard::IdempotencyGuard(Store& store)
    : store_(store), claims_(std::make_shared<Claims>()) {}

void IdempotencyGuard::run(const Unit& unit, Call call, Done done) const {
  if (auto good = check_idempotency_key(*call.idempotency_key); !good)
    return done(tl::unexpected(std::move(good.error())));
  const auto key = std::make_shared<AnswerKey>();
  key->client = call.client;
  key->key = std::move(*call.idempotency_key);
  key->domain = unit.domain;
  key->unit = unit.name();
  key->fingerprint = fingerprint_of(unit, call.input);
  // First the claim, then the look: an answer is in the store before its claim is given back.
  if (auto refused = claims_->take(*key)) return done(tl::unexpected(std::move(*refused)));
  Claim claim(claims_, key);
  auto kept = store_.kept_answer(*key);
  if (!kept || *kept) claim.release();  // before any answer: who hears it may ask again at once
  if (!kept) return done(tl::unexpected(std::move(kept.error())));
  if (KeptAnswer* first = *kept ? &**kept : nullptr) {
    if (first->fingerprint != key->fingerprint)
      return done(tl::unexpected(reused(*key, first->unit)));
    if (call.on_replay) call.on_replay();
    return done(std::move(first->answer));
  }
  auto finish = [&store = store_, key, claim = std::move(claim),
                 done = std::move(done)](Result<Json> answer) mutable {
    if (key->kept || !is_worth_keeping(answer)) {
      claim.release();
      return done(std::move(answer));
    }
    // The unit had nothing to write, or answered otherwise than its last write did.
    WriteJob keep = [answer](Transaction&) { return answer; };
    auto answer_now = [key, claim = std::move(claim), done = std::move(done),
                       answer](const Result<Json>&) mutable {
      if (!key->kept)
        log_warn("store", key->unit + ": its answer could not be kept under its Idempotency-Key");
      claim.release();
      done(std::move(answer));
    };
    store.write(std::move(keep), Done(std::move(answer_now), key));
  };
  unit.run(std::move(call), Done(std::move(finish), key));
}

Result<void> check_idempotency_key(const std::string& key) {
  std::string wrong;
  if (key.empty())
    wrong = "it is empty";
  else if (key.size() > longest_key)
    wrong = fmt::format("it has {}", key.size());
  else if (!std::all_of(key.begin(), key.end(), [](char c) { return c >= '!' && c <= '~'; }))
    wrong = "it has a space, or what is not ASCII";
  else
    return {};
  return fail(400, "invalid_idempotency_key",
              fmt::format("the header Idempotency-Key must be given once, as 1 to {} visible ASCII "
                          "characters; {}",
                          longest_key, wrong),
              Json{{"header", "Idempotency-Key"}});
}

std::string fingerprint_of(const Unit& unit, const Json& input) {
  const nlohmann::json sorted(input);  // unlike ours, its objects are in order of their keys
  return sha256_hex(unit.name() + '\n' +
                    sorted.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace aima
