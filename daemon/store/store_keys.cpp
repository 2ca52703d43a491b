// Where the store meets the answers kept under idempotency keys (kept_answers.h).
#include "daemon/store/store_impl.h"

namespace aima {

StoreKind StoreImpl::kind_for(const AnswerKey& key) const {
  for (std::size_t i = 0; i < domain_count; ++i)
    if (key.domain == name_of(static_cast<Domain>(i))) return kinds_[i];
  return StoreKind::memory;
}

// Inside the savepoint of the job that made the answer.
Result<void> StoreImpl::keep_answer(const AnswerKey& key, const Result<Json>& answer) {
  Result<void> kept;
  if (kind_for(key) == StoreKind::memory)
    kept = kept_answers_.keep(kept_in_memory(), key, answer);
  else if (kept = begin(); kept)
    kept = kept_answers_.keep(database_, key, answer);
  if (!kept) kept_answers_.group_failed();  // its job goes, and what was cleared away is back
  return kept;
}

// A refusal has undone its job: what keeps it is a job of its own.
bool StoreImpl::keep_refusal(const AnswerKey& key, const Result<Json>& answer, Transaction& writer,
                             bool& lost) {
  if (!is_worth_keeping(answer)) return false;
  WriteJob keep = [&](Transaction&) -> Result<Json> {
    if (auto kept = keep_answer(key, answer); !kept) return tl::unexpected(kept.error());
    return Json();
  };
  return run_job(keep, nullptr, writer, lost).has_value();
}

Result<std::optional<KeptAnswer>> StoreImpl::kept_answer(const AnswerKey& key) {
  if (auto kept = kept_answers_.find(kept_in_memory(), key)) return kept;
  auto lease = readers_.take();
  if (!lease) return tl::unexpected(lease.error());
  auto kept = kept_answers_.find(lease->database(), key);
  if (kept && !*kept)
    if (auto room = kept_answers_.room(lease->database(), kind_for(key)); !room)
      return tl::unexpected(room.error());
  return kept;
}
}  // namespace aima
