// Tools for falsifying a record so that it still reads as one: times and numbers go on, what is cut
// short has an end, and what two events say of the same thing stays the same.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/prove/sabotage.h"
#include "harness/verdict/record.h"

namespace harness {

// Numbers from 1 without gaps, times that never run back; the fields say the same as the event.
void renumber(History& history);

// An event to be put in; renumber() gives it its number. `t_us`: when it happened.
Event forged_event(std::string_view kind, Json fields, std::int64_t t_us);

// Position of the first event of that kind from `from` on (of that step, where one is given);
// nothing where there is none.
std::optional<std::size_t> find_event(const History& history, std::string_view kind,
                                      std::string_view step = {}, std::size_t from = 0);
std::optional<std::size_t> last_event(const History& history, std::string_view kind,
                                      std::string_view step = {});

// The run ends after the first `keep` events because of that step: a daemon that still lives is ended
// as asked, leftovers are counted, run.end says why. Renumbers.
void end_early(History& history, std::size_t keep, const std::string& step,
               const std::string& reason);

// The step whose end is at `end` ended with that outcome: without an observation, and the scenario
// ends there if no criterion judges the step. Renumbers.
void end_step_as(const Scenario& scenario, History& history, std::size_t end,
                 const std::string& outcome, const std::string& message);

// The step of that path, at any depth; null where there is none.
const Step* step_at(const Scenario& scenario, std::string_view path);
// The only criterion that the step judges; empty for none or several.
std::string criterion_of(const Step& step);

// One changed value, in words, and the document with it.
struct Change {
  std::string what;  // ".items[0].status: "running" became "running-changed""
  Json document;
};
// Changes of a document, the smallest and shallowest first: numbers up and down, truth inverted,
// texts changed or emptied, elements dropped, doubled or all gone. At most `most` of them.
std::vector<Change> changes_of(const Json& document, const std::string& root, std::size_t most);
}  // namespace harness
