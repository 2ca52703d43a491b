// The container engine's own word of what happens to containers: GET /events, followed for as long
// as the daemon lives.
#pragma once
#include <stop_token>
#include <string>
#include <string_view>

#include "daemon/provider/docker_api.h"
#include "daemon/provider/engine_times.h"

namespace aima::provider {

// One JSON object a line, cut anywhere by the reads. Tells the watcher which services to look at;
// a line that cannot be understood may have been about any of them.
class EventLines {
 public:
  EventLines(const Labels& scope, const Watcher& watcher) : scope_(scope), watcher_(watcher) {}
  // False when a line is longer than any event: this is no stream of events.
  bool take(std::string_view piece);

 private:
  void read_line(const std::string& line);

  const Labels& scope_;
  const Watcher& watcher_;
  std::string line_;
};

// Subscribes, tells the watcher to look at everything once (what happened before is seen by that
// look, what happens after it by an event), and passes on what comes. When the stream ends, or its
// engine does not answer a ping beside it, subscribes again, less and less often. Until `stop`.
void follow_events(DockerApi& api, const Labels& scope, const Watcher& watcher,
                   const EngineTimes& times, const std::stop_token& stop);
}  // namespace aima::provider
