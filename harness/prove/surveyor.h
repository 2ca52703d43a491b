// Looks at the world of the control run without touching it, so that the places of sabotages are
// told from what was there: which tables the run filled, whether there was a write-ahead log, which
// engines ran, what was locked.
#pragma once
#include <memory>

#include "harness/run/saboteur.h"

namespace harness {

// The control run of `prove` carries one. It records, with the step it stands at:
//   survey  step, [tables{NAME: rows}], [wal_bytes], [engines[role]], [locks[{path, kind}]],
//   [files]
// after the first start, before each step that a criterion judges and each that asks for a death,
// and after each at whose end the daemon is down.
std::unique_ptr<Saboteur> control_surveyor();
}  // namespace harness
