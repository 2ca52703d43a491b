// The table of faults. A new one: its own file, a line in rows.h, a row here.
#include "harness/faults/fault.h"

#include <array>

#include "harness/faults/rows.h"

namespace harness {

std::span<const Fault> faults() {
  static const std::array all{pause_fault,      kill_fault,          port_taken_fault,
                              container_fault,  wal_reader_fault,    database_lock_fault,
                              corrupt_page_fault};
  return all;
}

const Fault* find_fault(std::string_view name) {
  for (const Fault& fault : faults())
    if (fault.shape().name == name) return &fault;
  return nullptr;
}

Result<Json> heal_recorded(const Json& undo, const Limit& limit) {
  const std::string name = undo.is_object() ? undo.value("fault", "") : "";
  if (const Fault* fault = find_fault(name)) return fault->heal_recorded(undo, limit);
  return fail(ErrorKind::invalid, "the recorded fault `" + name +
                                      "` is none of this harness: it was made by another version");
}
}  // namespace harness
