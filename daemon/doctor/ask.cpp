// See ask.h.
#include "daemon/doctor/ask.h"

#include <fmt/format.h>

#include "daemon/http/client.h"
#include "daemon/provider/rows.h"
#include "version.h"

namespace aima::doctor {
namespace {
using namespace std::chrono_literals;
constexpr auto kForAnAnswer = 3s;  // for each answer

// The daemon's own words out of a refusal; nothing where it is no daemon of ours.
std::string refusal_in(const Json& body) {
  if (!body.is_object() || !body.contains("error") || !body["error"].is_object()) return "";
  return provider::text_of(body["error"], "message");
}

class Asker {
 public:
  Asker(http::Endpoint endpoint, const std::string& api_key) : client_(std::move(endpoint)) {
    headers_["Accept"] = "application/json";
    if (!api_key.empty()) headers_["Authorization"] = "Bearer " + api_key;
  }
  Result<http::Response> get(const std::string& target) {
    return client_.send({"GET", target, headers_, ""}, kForAnAnswer);
  }

 private:
  http::Client client_;
  std::map<std::string, std::string> headers_;
};

void ask_info(Asker& asker, Running& running) {
  const auto reply = asker.get("/api/system/info");
  if (!reply) {
    const bool silent = reply.error().code == "timeout";
    running.state = silent ? Running::State::silent : Running::State::none;
    running.said = reply.error().message;
    return;
  }
  const Json body = Json::parse(reply->body, nullptr, false);
  if (reply->status == 200 && body.is_object() && body.contains("data_dir") &&
      body.contains("version")) {
    running.state = Running::State::answers;
    running.info = body;
  } else if (const std::string said = refusal_in(body); !said.empty()) {
    running.state = Running::State::refuses;
    running.said = fmt::format("HTTP {}: {}", reply->status, said);
  } else {
    running.state = Running::State::stranger;
    running.said = fmt::format("HTTP {} to /api/system/info", reply->status);
  }
}
}  // namespace

Running ask_daemon(const std::string& server, const std::string& api_key) {
  Running running;
  running.server = server;
  const auto endpoint = http::Endpoint::parse(server);
  if (!endpoint) {
    running.state = Running::State::unknown;
    running.said = endpoint.error().message;
    return running;
  }
  Asker asker(*endpoint, api_key);
  ask_info(asker, running);
  if (!running.is_aima()) return running;
  if (const auto ready = asker.get("/ready")) {
    running.ready = ready->status == 200;
    running.ready_said = refusal_in(Json::parse(ready->body, nullptr, false));
    if (running.ready_said.empty()) running.ready_said = fmt::format("HTTP {}", ready->status);
  } else {
    running.ready_said = ready.error().message;
  }
  if (running.state != Running::State::answers) return running;
  const auto list = asker.get("/api/service/list?limit=10000");
  const Json body = list ? Json::parse(list->body, nullptr, false) : Json();
  if (list && list->status == 200 && body.is_object() && body.contains("items")) {
    running.services = body["items"].get<std::vector<Json>>();
  }
  return running;
}

namespace {
Finding answering(const Subject& subject) {
  const Running& daemon = subject.daemon;
  Finding finding{"daemon"};
  const std::string its_version = provider::text_of(daemon.info, "version");
  finding.found = fmt::format("aima {} answers at {}, process {}, since {}", its_version,
                              daemon.server, daemon.info.value("pid", 0),
                              provider::text_of(daemon.info, "started_at"));
  if (!subject.serves_this) {
    finding.found += fmt::format("; it uses another data folder, {}, and was asked nothing else",
                                 provider::text_of(daemon.info, "data_dir"));
    return finding;
  }
  if (!daemon.ready) {
    finding.grade = Grade::broken;
    finding.found += "; it is not ready: " + daemon.ready_said;
    finding.advice = daemon.info.value("draining", false)
                         ? "it is shutting down: wait for its end"
                         : "see its log; where the disk was full, it goes on once there is room";
  } else if (its_version != version) {
    finding.grade = Grade::warning;
    finding.found += fmt::format("; this program is {}", version);
    finding.advice = "restart the daemon, so that it runs what is installed";
  }
  return finding;
}
}  // namespace

Finding check_daemon(const Subject& subject) {
  const Running& daemon = subject.daemon;
  Finding finding{"daemon"};
  switch (daemon.state) {
    case Running::State::answers:
      return answering(subject);
    case Running::State::none:
      if (daemon.server.ends_with(":0")) {
        finding.found = "its settings let it take any port, so none is asked: the data folder is looked "
                        "at instead";
        return finding;
      }
      finding.found = fmt::format("none answers at {}: the data folder is looked at instead",
                                  daemon.server);
      return finding;
    case Running::State::refuses:
      finding.grade = Grade::broken;
      finding.found = fmt::format("an aima at {} refused to answer: {}", daemon.server, daemon.said);
      finding.advice = daemon.said.starts_with("HTTP 401")
                           ? "give its key with --api-key or AIMA_API_KEY"
                           : "see its log";
      return finding;
    case Running::State::silent:
      finding.grade = Grade::broken;
      finding.found = fmt::format("what listens at {} does not answer: {}", daemon.server,
                                  daemon.said);
      finding.advice = "see its log; a daemon that hangs ends with SIGTERM, then SIGKILL: what it "
                       "acknowledged is stored";
      return finding;
    case Running::State::stranger:
      finding.grade = Grade::broken;
      finding.found = fmt::format("what answers at {} is no aima ({})", daemon.server, daemon.said);
      finding.advice = "end it, or give aima another address: --addr, or addr in the settings file";
      return finding;
    case Running::State::unknown:
      break;
  }
  finding.grade = Grade::broken;
  finding.found = fmt::format("{} cannot be asked: {}", daemon.server, daemon.said);
  finding.advice = "--server and AIMA_SERVER take http://HOST:PORT";
  return finding;
}
}  // namespace aima::doctor
