// The JSON inputs: body text → strict parser → schema → unit → store, and the answer as it is sent.
#include <future>

#include "daemon/fuzz/targets.h"
#include "daemon/fuzz/units.h"
#include "daemon/gateway/json_body.h"
#include "daemon/gateway/message.h"

namespace aima::fuzz {
namespace {

constexpr int runs_of_one_store = 2000;  // then a fresh one: what was made slows the lists

struct UnitBench {
  boost::asio::io_context io;
  Units units{io};
};

void check_refusal(const Error& error) {
  if (error.http_status < 400 || error.http_status > 599) broken("a refusal without its status");
  if (error.http_status == 500) broken("an input is answered with 500: " + error.message);
  if (error.code.empty() || error.message.empty()) broken("a refusal that says nothing");
  (void)error_reply(error).body;  // what was typed is in the message: it must be sendable
}

Result<Json> answer_of(UnitBench& bench, std::string_view domain, std::string_view verb, Json input) {
  std::promise<Result<Json>> promise;
  auto answer = promise.get_future();
  Call call;
  call.input = std::move(input);
  bench.units.registry().execute(domain, verb, std::move(call), [&promise](Result<Json> result) {
    promise.set_value(std::move(result));
  });
  if (answer.wait_for(std::chrono::seconds(10)) != std::future_status::ready) {
    broken("a unit gives no answer");
  }
  return answer.get();
}

}  // namespace

void run_unit(std::string_view input) {
  static std::unique_ptr<UnitBench> bench;
  static int runs = 0;
  if (!bench || ++runs % runs_of_one_store == 0) {
    bench.reset();
    bench = std::make_unique<UnitBench>();
  }
  const auto line = std::min(input.find('\n'), input.size());
  const std::string_view name = input.substr(0, line);
  const std::string_view text = input.substr(std::min(line + 1, input.size()));
  const auto dot = std::min(name.find('.'), name.size());
  const std::string_view domain = name.substr(0, dot);
  const std::string_view verb = name.substr(std::min(dot + 1, name.size()));
  if (domain == "inference") return;  // the relay wants a running I/O thread: target `http`
  auto body = parse_json_object(text);
  if (!body) return check_refusal(body.error());
  if (!body->is_object()) broken("the body parser let something pass that is no object");
  const auto answer = answer_of(*bench, domain, verb, std::move(*body));
  if (!answer) return check_refusal(answer.error());
  const HttpReply reply = json_reply(200, *answer);
  if (!Json::accept(reply.body)) broken("an answer that is no JSON: " + reply.body);
}

}  // namespace aima::fuzz
