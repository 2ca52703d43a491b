#include "daemon/store/table_memory.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace aima {
namespace {
std::string name_in(const Json& object) {
  const auto name = object.find("name");
  return name != object.end() && name->is_string() ? name->get<std::string>() : std::string{};
}

bool matches(const Json& object, const ListQuery& query) {
  for (const auto& [field, value] : query.equals) {
    const auto found = object.find(field);
    if (found == object.end() || !found->is_string() ||
        found->get_ref<const std::string&>() != value)
      return false;
  }
  return true;
}
}  // namespace

MemoryRows::Object MemoryRows::get(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : rows_.at(found->second);
}

MemoryRows::Object MemoryRows::find_by_name(const std::string& name) const {
  const auto found = by_name_.lower_bound({name, 0});
  return found == by_name_.end() || found->first != name ? nullptr : rows_.at(found->second);
}

Page MemoryRows::list(const ListQuery& query) const {
  Page page;
  for (const auto& [seq, object] : rows_) {
    if (!query.equals.empty() && !matches(*object, query)) continue;
    if (page.total++ >= query.offset && page.items.size() < query.limit)
      page.items.push_back(*object);
    // Nothing left to look at: without a filter the total is known.
    if (query.equals.empty() && page.items.size() == query.limit) break;
  }
  if (query.equals.empty()) page.total = rows_.size();
  return page;
}

std::pair<MemoryRows::Object, std::uint64_t> MemoryRows::put(const std::string& id, Object object,
                                                             std::uint64_t seq) {
  Object before;
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    seq = found->second;
    const auto row = rows_.find(seq);
    before = row->second;
    by_name_.erase({name_in(*before), seq});
    rows_.erase(row);
    by_id_.erase(found);
  } else if (seq == 0) {
    seq = next_;
  }
  next_ = std::max(next_, seq + 1);
  if (object) {
    if (std::string name = name_in(*object); !name.empty()) by_name_.emplace(std::move(name), seq);
    by_id_[id] = seq;
    rows_[seq] = std::move(object);
  }
  return {std::move(before), seq};
}

void MemoryTable::change(const std::string& id, MemoryRows::Object object) {
  auto [before, seq] = working_.put(id, object);
  group_.push_back({id, std::move(before), std::move(object), seq});
}

void MemoryTable::undo_to(std::size_t size) {
  while (group_.size() > size) {
    Change& last = group_.back();
    working_.put(last.id, std::move(last.before), last.seq);
    group_.pop_back();
  }
}
void MemoryTable::undo_job() { undo_to(kept_); }
void MemoryTable::keep_job() { kept_ = group_.size(); }
void MemoryTable::undo_group() {
  undo_to(0);
  kept_ = 0;
}

void MemoryTable::publish() {
  if (group_.empty()) return;
  const std::unique_lock lock(mutex_);
  for (auto& change : group_) published_.put(change.id, std::move(change.after), change.seq);
  group_.clear();
  kept_ = 0;
}

MemoryRows::Object MemoryTable::get(const std::string& id) const {
  const std::shared_lock lock(mutex_);
  return published_.get(id);
}
MemoryRows::Object MemoryTable::find_by_name(const std::string& name) const {
  const std::shared_lock lock(mutex_);
  return published_.find_by_name(name);
}
Page MemoryTable::list(const ListQuery& query) const {
  const std::shared_lock lock(mutex_);
  return published_.list(query);
}
}  // namespace aima
