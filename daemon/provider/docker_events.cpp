// Following the container engine's events. There is no heartbeat in the stream, so that a frozen
// engine looks like a quiet one: whenever it has been silent for a while it is asked for a ping.
#include "daemon/provider/docker_events.h"

#include <algorithm>
#include <array>

#include "daemon/provider/docker_json.h"
#include "daemon/provider/pause.h"

namespace aima::provider {
namespace {
using std::chrono::milliseconds;

constexpr std::size_t longest_line = 1U << 20;

// What changes what a row says. Docker and Podman name the last two differently.
bool is_change(const std::string& action) {
  static constexpr std::array changes = {"create", "start",   "restart", "die",     "died", "stop",
                                         "pause",  "unpause", "oom",     "destroy", "remove"};
  return std::find(changes.begin(), changes.end(), action) != changes.end();
}

// The subscription from its request to its end; never without an error.
Error follow_once(DockerApi& api, const Labels& scope, const Watcher& watcher,
                  const EngineTimes& times, const std::stop_token& stop) {
  // Who answers may have changed since the last time: another version, the other engine.
  if (auto known = api.ping({times.ping, stop}); !known) return known.error();
  EventLines lines(scope, watcher);
  Error silent{504, "timeout", "", nullptr};
  bool has_begun = false;
  http::StreamHooks hooks;
  // The head comes before any event: from then on nothing is missed.
  hooks.on_head = [&](int status) {
    has_begun = status == 200;
    if (has_begun) watcher.look_at_all();
  };
  hooks.silence = times.heartbeat;
  hooks.is_silence_accepted = [&] {
    auto alive = api.ping({times.look_ping, stop});
    if (!alive) silent = alive.error();
    return alive.has_value();
  };
  const auto on_data = [&](std::string_view piece) { return !has_begun || lines.take(piece); };
  const std::string filters = R"({"type":["container"],"label":["aima.managed=true"]})";
  const auto ended = api.follow("/events?filters=" + url_encode(filters), {times.ping, stop},
                                on_data, hooks);
  if (!ended && !silent.message.empty()) return silent;
  if (!ended) return ended.error();
  if (!has_begun) return {502, "provider_error", "its events: " + error_text(*ended), nullptr};
  return {503, "unreachable", "its stream of events ended", nullptr};
}
}  // namespace

bool EventLines::take(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    line_.append(piece.substr(0, end));
    if (line_.size() > longest_line) return false;
    if (end == std::string_view::npos) return true;
    piece.remove_prefix(end + 1);
    if (line_.find_first_not_of(" \r") != std::string::npos) read_line(line_);
    line_.clear();
  }
  return true;
}

void EventLines::read_line(const std::string& line) {
  const Json event = Json::parse(line, nullptr, false);
  if (!event.is_object()) return watcher_.look_at_all();
  if (json_text(event, "Type") != "container" || !is_change(json_text(event, "Action"))) return;
  const auto actor = event.find("Actor");
  const bool has_labels =
      actor != event.end() && actor->is_object() && actor->contains("Attributes");
  if (!has_labels) return watcher_.look_at_all();
  const Json& labels = (*actor)["Attributes"];
  // The filter asked for ours only, in words that the engines do not read the same way.
  for (const auto& [key, value] : scope_) {
    if (json_text(labels, key.c_str()) != value) return;
  }
  const std::string service_id = json_text(labels, "aima.service");
  if (!service_id.empty()) watcher_.changed(service_id);
}

void follow_events(DockerApi& api, const Labels& scope, const Watcher& watcher,
                   const EngineTimes& times, const std::stop_token& stop) {
  milliseconds pause = times.reconnect_first;
  while (!stop.stop_requested()) {
    const auto begun = Patience::Clock::now();
    const Error error = follow_once(api, scope, watcher, times, stop);
    if (stop.stop_requested()) return;
    watcher.out_of_touch(error);
    // One that held for long was sound; one that ends as soon as it begins is not asked for at once.
    if (Patience::Clock::now() - begun > times.reconnect_most) pause = times.reconnect_first;
    if (!pause_for(pause, stop)) return;
    pause = std::min(pause * 2, times.reconnect_most);
  }
}
}  // namespace aima::provider
