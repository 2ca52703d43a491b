// Server-sent events of a chat completion (text/event-stream, OpenAI's `data:` lines), fed as the
// bytes come; pieces may be split anywhere.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/error.h"

namespace aima::cli {
class EventStream {
 public:
  explicit EventStream(std::function<void(const std::string&)> on_text);
  bool feed(std::string_view data);             // false once the stream has ended itself
  bool begun() const { return begun_; }         // at least one event was read
  bool finished() const { return finished_; }   // "data: [DONE]" was read
  const std::optional<Error>& error() const { return error_; }  // an event that tells an error
  Json completion() const;                      // what was read, as one chat completion

 private:
  void take_line(std::string_view line);
  void take_event(const Json& event);

  std::function<void(const std::string&)> on_text_;
  std::string line_;
  std::string content_;
  std::string finish_reason_;
  Json last_ = Json::object();
  bool begun_ = false;
  bool finished_ = false;
  std::optional<Error> error_;
};
}  // namespace aima::cli
