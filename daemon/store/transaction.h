// The Transaction that write jobs see. Begins the SQLite transaction and the job's savepoint when a
// job first needs them: jobs on memory tables cost no commit, and still work while the disk does
// not.
#pragma once
#include "daemon/store/store_impl.h"

namespace aima {

class StoreImpl::Writer final : public Transaction {
 public:
  explicit Writer(StoreImpl& store) : store_(store) {}

  Result<std::optional<Json>> get(Domain domain, const std::string& id) override;
  Result<std::optional<Json>> find_by_name(Domain domain, const std::string& name) override;
  Result<Page> list(Domain domain, const ListQuery& query) override;
  Result<std::string> new_id(Domain domain) override;
  Result<void> insert(Domain domain, const Json& object) override;
  Result<void> update(Domain domain, const Json& object) override;
  Result<void> erase(Domain domain, const std::string& id) override;

 private:
  bool in_memory(Domain domain) const { return store_.kind(domain) == StoreKind::memory; }
  Result<void> name_is_free(Domain domain, const Json& object);

  StoreImpl& store_;
};

}  // namespace aima
