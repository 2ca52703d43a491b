// See event_stream.h.
#include "daemon/cli/event_stream.h"

#include <utility>

namespace aima::cli {

EventStream::EventStream(std::function<void(const std::string&)> on_text)
    : on_text_(std::move(on_text)) {}

bool EventStream::feed(std::string_view data) {
  while (!data.empty() && !finished_ && !error_) {
    const std::size_t end = data.find('\n');
    line_.append(data.substr(0, end));
    if (end == std::string_view::npos) return true;
    data.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    const std::string line = std::exchange(line_, {});
    take_line(line);
  }
  return !finished_ && !error_;
}

void EventStream::take_line(std::string_view line) {
  if (!line.starts_with("data:")) return;  // comments, event names, blank lines
  line.remove_prefix(5);
  if (line.starts_with(' ')) line.remove_prefix(1);
  begun_ = true;
  if (line == "[DONE]") {
    finished_ = true;
    return;
  }
  const Json event = Json::parse(line, nullptr, false);
  if (!event.is_object()) {
    error_ = Error{0, "bad_answer", "an event of the answer is not JSON: " + std::string(line)};
    return;
  }
  take_event(event);
}

void EventStream::take_event(const Json& event) {
  if (event.contains("error")) {
    const Json& error = event["error"];
    const bool told = error.is_object() && error.contains("message") &&
                      error["message"].is_string();
    const bool coded = error.is_object() && error.contains("code") && error["code"].is_string();
    error_ = Error{0, coded ? error["code"].get<std::string>() : "engine_error",
                   told ? error["message"].get<std::string>() : error.dump()};
    return;
  }
  last_ = event;
  const Json::json_pointer delta("/choices/0/delta/content");
  const Json::json_pointer reason("/choices/0/finish_reason");
  if (event.contains(delta) && event[delta].is_string()) {
    const auto text = event[delta].get<std::string>();
    content_ += text;
    on_text_(text);
  }
  if (event.contains(reason) && event[reason].is_string()) {
    finish_reason_ = event[reason].get<std::string>();
  }
}

Json EventStream::completion() const {
  Json out = Json::object();
  for (const char* field : {"id", "created", "model"}) {
    if (last_.contains(field)) out[field] = last_[field];
  }
  out["object"] = "chat.completion";
  Json choice{{"index", 0}, {"message", {{"role", "assistant"}, {"content", content_}}}};
  choice["finish_reason"] = finish_reason_.empty() ? Json(nullptr) : Json(finish_reason_);
  out["choices"] = Json::array({std::move(choice)});
  if (last_.contains("usage")) out["usage"] = last_["usage"];
  return out;
}
}  // namespace aima::cli
