// One unit asked over HTTP, whichever route led to it: from the request to the input, from the
// result to the log and the reply.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "daemon/domain/unit.h"
#include "daemon/gateway/message.h"

namespace aima {

// The body, or without one the query; both at once, and what is not one JSON object, is 400.
Result<Json> input_of(const Unit& unit, const HttpRequest& request);

// Runs `unit` on `call`, with the request's idempotency key. Every unit that is asked over HTTP goes
// through here. A unit that throws answers 500. `done` as the unit's: any thread, once.
void ask_unit(const Unit& unit, Call call, const std::shared_ptr<Exchange>& exchange, Done done);

// /api/{domain}/{verb}: the reply is the bare object.
void answer_bare(const Unit& unit, HttpRequest request, std::shared_ptr<Exchange> exchange);

}  // namespace aima
