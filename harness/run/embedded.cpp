// Takes the inner step out of an outer step's arguments.
#include "harness/run/embedded.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/run/catalog.h"

namespace harness {
namespace {

const StepCatalog& words() {
  static const StepCatalog catalog = full_catalog();
  return catalog;
}

std::vector<const NodeEntry*> kind_entries(const Step& outer, const std::vector<std::string>& own) {
  std::vector<const NodeEntry*> found;
  for (const auto& entry : outer.arguments.entries) {
    const bool ours = std::find(own.begin(), own.end(), entry.key) != own.end();
    if (!ours && words().step(entry.key)) found.push_back(&entry);
  }
  return found;
}

bool shape_has(const StepShape& shape, const std::string& key) {
  return std::any_of(shape.keys.begin(), shape.keys.end(),
                     [&](const KeyShape& known) { return known.name == key; });
}

}  // namespace

bool has_embedded_step(const Step& outer, const std::vector<std::string>& own) {
  return !outer.children.empty() || !kind_entries(outer, own).empty();
}

Result<Step> embedded_step(const Step& outer, const std::vector<std::string>& own) {
  if (!outer.children.empty()) return outer.children.front();
  const auto kinds = kind_entries(outer, own);
  if (kinds.size() != 1) {
    return fail(ErrorKind::invalid,
                kinds.empty()
                    ? fmt::format("`{}` needs a step inside: http, cli, sqlite, …", outer.kind)
                    : fmt::format("`{}` holds both `{}` and `{}`: one step only", outer.kind,
                                  kinds[0]->key, kinds[1]->key),
                outer.span);
  }
  const NodeEntry& kind = *kinds.front();
  const StepShape& shape = *words().step(kind.key);
  Step inner;
  inner.kind = kind.key;
  inner.path = outer.path;
  inner.span = kind.key_span;
  inner.source = outer.source;
  inner.arguments.kind = Node::Kind::map;
  inner.arguments.span = kind.value.span;
  if (kind.value.is_map()) {
    inner.arguments.entries = kind.value.entries;
  } else if (kind.value.kind != Node::Kind::null) {
    inner.arguments.entries.push_back({shape.scalar_key, kind.key_span, kind.value});
  }
  for (const auto& entry : outer.arguments.entries) {
    const bool ours = std::find(own.begin(), own.end(), entry.key) != own.end();
    if (&entry != &kind && !ours && shape_has(shape, entry.key)) {
      inner.arguments.entries.push_back(entry);
    }
  }
  return inner;
}
}  // namespace harness
