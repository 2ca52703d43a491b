// answer-500, cut-answer, change-answer: what a judged request is told.
#include <fmt/format.h>

#include "harness/prove/changes_of_reply.h"
#include "harness/prove/lie.h"
#include "harness/prove/rows.h"
#include "harness/run/step.h"

namespace harness {
namespace {

std::unique_ptr<Strike> answer_500_at(const ProofSubject&, const Place& place) {
  return lie_during(place, [](Live&, const Step&) -> Result<Falsify> {
    return [](const WireRequest&, WireReply& reply) {
      const int before = reply.status;
      reply.status = 500;
      reply.headers["content-type"] = "application/json";
      reply.body = R"({"error":"internal error"})";
      return fmt::format("status 500 in place of {}", before);
    };
  });
}

std::unique_ptr<Strike> cut_answer_at(const ProofSubject&, const Place& place) {
  return lie_during(place, [](Live&, const Step&) -> Result<Falsify> {
    return [](const WireRequest&, WireReply& reply) {
      reply.cut = true;
      return fmt::format("{} of {} bytes of the body, then the end", reply.body.size() / 2,
                         reply.body.size());
    };
  });
}

// What an expression of the step is told besides the document.
Json own_bindings(const Step& step, const WireReply& reply, const Json& document) {
  if (step.kind == "cli") {
    return {{"exit", 0}, {"stdout", document.dump() + "\n"}, {"stderr", ""}, {"elapsed_ms", 1.0}};
  }
  Json headers = Json::object();
  for (const auto& [name, value] : reply.headers) headers[name] = value;
  return {{"status", reply.status}, {"headers", headers}, {"error", nullptr}, {"elapsed_ms", 1.0}};
}

Truth truth_of(Live& live, const Step& step, const Json& bindings, const WireReply& reply,
               const Json& document) {
  Json all = bindings;
  const Json own = own_bindings(step, reply, document);  // named: outlives the loop
  for (const auto& [name, value] : own.items()) all[name] = value;
  std::lock_guard lock(live.evaluation);
  return live.session.expressions->expect(*step.expect, document, all).truth;
}

// Another status than the one that the step is content with.
std::string change_status(WireReply& reply) {
  const int before = reply.status;
  reply.status = before < 400 ? 404 : 200;
  return fmt::format("status {} in place of {}", reply.status, before);
}

std::string change_reply(Live& live, const Step& step, const Json& bindings, WireReply& reply) {
  if (!step.expect) return change_status(reply);
  const Json document = Json::parse(reply.body, nullptr, false);
  if (document.is_discarded()) return change_status(reply);
  // A reply that the step does not look at (the command asks for several) is left as it is.
  if (truth_of(live, step, bindings, reply, document) != Truth::pass) return "";
  std::string what;
  const auto makes_false = [&](const Json& changed, const std::string& change) {
    if (truth_of(live, step, bindings, reply, changed) != Truth::fail) return false;
    reply.body = changed.dump(-1, ' ', false, Json::error_handler_t::replace);
    what = change;
    return true;
  };
  if (try_changes(document, makes_false)) return what;
  return change_status(reply);
}

std::unique_ptr<Strike> change_answer_at(const ProofSubject&, const Place& place) {
  return lie_during(place, [](Live& live, const Step& step) -> Result<Falsify> {
    const Json bindings = bindings_of(live, live.session, Json::object());
    return [&live, step, bindings](const WireRequest&, WireReply& reply) {
      return change_reply(live, step, bindings, reply);
    };
  });
}

}  // namespace

const WorldSabotage answer_500 = {"answer-500", "a judged request is answered with 500",
                                  judged_requests, answer_500_at};
const WorldSabotage cut_answer = {"cut-answer", "the answer to a judged request ends half way",
                                  judged_requests, cut_answer_at};
const WorldSabotage change_answer = {
    "change-answer", "the answer to a judged request is changed so that its expectation is false",
    judged_requests, change_answer_at};
}  // namespace harness
