// Commands that came with an `Idempotency-Key`: each key runs its unit once, and the same request
// gets the first answer again (contract, section 2).
//
// The answer is kept by the store, in the transaction of the write that made it (Done's key). This
// part keeps only who is at it now: a key whose request is under way refuses the others. A daemon
// that is killed forgets those; the write and its key are then both in the store, or neither is.
#pragma once
#include <memory>

#include "daemon/domain/unit.h"
#include "daemon/store/store.h"

namespace aima {

class IdempotencyGuard {
 public:
  // The store must outlive the guard, and every answer of a unit that it ran.
  explicit IdempotencyGuard(Store& store);

  // Runs `unit`, or answers in its place: the kept answer (after call.on_replay); 409 while the
  // first is in progress; 422 for a key that another unit or input came with; 400 for what is no
  // key; 429 where no more keys can be kept. `call.input` is checked already.
  // Blocks for no longer than a read of the store.
  void run(const Unit& unit, Call call, Done done) const;

 private:
  class Claims;  // keys whose requests are under way
  class Claim;
  Store& store_;
  std::shared_ptr<Claims> claims_;  // late answers find it alive
};

// 1 to 255 visible ASCII characters, or 400 naming the header.
Result<void> check_idempotency_key(const std::string& key);

// The unit and its checked input as a hash: key order and white space of the body do not count.
std::string fingerprint_of(const Unit& unit, const Json& input);

}  // namespace aima
