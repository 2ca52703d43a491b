// JSON and lines of text from daemons.
#include "harness/base/pattern.h"
#include "harness/base/read_json.h"
#include "harness/fuzz/targets.h"
#include "harness/history/recorder.h"

namespace harness::fuzz {

void read_document(std::string_view input) {
  const JsonReading reading = read_json(input);
  const Json same = Json::parse(input, nullptr, false);
  if (reading.kind == JsonReading::Kind::too_much) return;
  if (reading.is_json() == same.is_discarded()) broken("one reads what the other does not");
  if (!reading.is_json()) return;
  if (reading.value.dump() != same.dump()) broken("the two readings differ: " + same.dump());
  Redactor redactor;
  redactor.add_secret("secret");
  const Json clean = redactor.json(reading.value);
  if (clean.dump().find("secret") != std::string::npos) broken("a secret stayed: " + clean.dump());
}

void read_pattern(std::string_view input) {
  const auto end = std::min(input.size(), input.find('\n'));
  const auto pattern = Pattern::compile(std::string(input.substr(0, end)));
  if (!pattern) {
    if (pattern.error().message.empty()) broken("a pattern is refused without a word");
    return;
  }
  (void)pattern->found_in(input.substr(end));
  (void)pattern->found_in("2026-01-31T12:34:56.789Z info listening on 127.0.0.1:9090");
}
}  // namespace harness::fuzz
