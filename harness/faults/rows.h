// One line for each fault; the table is in fault.cpp.
#pragma once
#include "harness/faults/fault.h"

namespace harness {
extern const Fault pause_fault;
extern const Fault kill_fault;
extern const Fault port_taken_fault;
extern const Fault container_fault;
extern const Fault wal_reader_fault;
extern const Fault database_lock_fault;
extern const Fault corrupt_page_fault;
}  // namespace harness
