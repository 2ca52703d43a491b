// Requests of ours, as the history records them: invoked before, completed after.
#pragma once
#include "harness/clients/http.h"
#include "harness/run/step.h"

namespace harness {

const char* outcome_name(HttpReply::Outcome outcome);  // ok | fail | indeterminate

// perform(), with request.begin and request.end around it.
HttpReply send_recorded(Live& live, Session& session, const std::string& step,
                        const HttpRequest& request, const Limit& limit);
}  // namespace harness
