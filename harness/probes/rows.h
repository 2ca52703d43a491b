// What each probe file brings to the table in probe.cpp.
#pragma once
#include "harness/probes/probe.h"

namespace harness {
StepShape http_shape();
Result<Observation> http_look(Session&, const Arguments&, const Limit&);
StepShape cli_shape();
Result<Observation> cli_look(Session&, const Arguments&, const Limit&);
StepShape shell_shape();
Result<Observation> shell_look(Session&, const Arguments&, const Limit&);
StepShape sqlite_shape();
Result<Observation> sqlite_look(Session&, const Arguments&, const Limit&);
StepShape containers_shape();
Result<Observation> containers_look(Session&, const Arguments&, const Limit&);
StepShape files_shape();
Result<Observation> files_look(Session&, const Arguments&, const Limit&);
StepShape process_shape();
Result<Observation> process_look(Session&, const Arguments&, const Limit&);
StepShape log_shape();
Result<Observation> log_look(Session&, const Arguments&, const Limit&);
}  // namespace harness
