// How a unit answers; and, for a request with an idempotency key, what its answer is kept under.
#pragma once
#include <atomic>
#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "daemon/base/error.h"

namespace aima {

// One keyed request. Made by units/idempotency.h, read by the store.
struct AnswerKey {
  std::string client;       // whose key: Call::client
  std::string key;          // as the client sent it
  std::string domain;       // the unit's: its store keeps the answer
  std::string unit;         // "model.create"
  std::string fingerprint;  // of the unit's checked input
  // Set by the store once the answer is kept, as durable as what the request made.
  std::atomic<bool> kept = false;
};
using AnswerKeyPtr = std::shared_ptr<AnswerKey>;

// A function that takes the answer, exactly once, from any thread. Its key says: the write that is
// given this Done is the one whose result is the request's answer, so the store keeps that result
// in the same transaction. Whoever wraps a Done on its way to the store passes its key() along.
class Done {
 public:
  using Function = std::move_only_function<void(Result<Json>)>;

  Done() = default;
  template <typename F>
    requires(!std::same_as<std::remove_cvref_t<F>, Done> && std::constructible_from<Function, F>)
  Done(F&& function, AnswerKeyPtr key = nullptr)  // implicit, as std::function is
      : function_(std::forward<F>(function)), key_(std::move(key)) {}

  void operator()(Result<Json> result) { function_(std::move(result)); }
  explicit operator bool() const { return static_cast<bool>(function_); }
  const AnswerKeyPtr& key() const { return key_; }

 private:
  Function function_;
  AnswerKeyPtr key_;
};

}  // namespace aima
