// A small catalogue with one step of each sort, for tests of this folder: the full one is composed
// further right (harness/run/catalog.h).
#pragma once
#include "harness/scenario/step_shape.h"

namespace harness {

inline StepCatalog small_catalog() {
  using enum ValueKind;
  StepCatalog catalog;
  catalog.add_step({"start", "life cycle", "Starts the daemon.", "", {}, true, false, "- start: {}"});
  catalog.add_step({"stop", "life cycle", "Stops it.", "", {}, true, false, "- stop: {}"});
  catalog.add_step({"signal", "life cycle", "Sends a signal.", "signal",
                    {{"signal", text, true, "KILL, TERM, …"}}, true, false, "- signal: KILL", "nothing"});
  catalog.add_step({"await", "life cycle", "Waits.", "",
                    {{"exit", any, false, "{signal: KILL}"},
                     {"log", ValueKind::pattern, false, "a line"},
                     {"nth", integer, false, "which match"},
                     {"port", text, false, "the port", {"open", "closed"}},
                     {"until", expression, false, "jq on the probe beside it"},
                     {"within", duration, false, "default 10s"}},
                    true, true, "- await: {exit: {signal: KILL}}"});
  catalog.add_step({"http", "request", "One request.", "request",
                    {{"request", text, true, "METHOD and path: GET /health"},
                     {"body", any, false, "sent as JSON"},
                     {"headers", text_map, false, "request headers"},
                     {"status", text_list, false, "expected status"},
                     {"deadline", duration, false, "default 10s"}},
                    true, false, "- http: GET /health"});
  catalog.add_step({"cli", "request", "The target's command line.", "command",
                    {{"command", text_list, true, "its arguments"}}, true, false, "- cli: model list"});
  catalog.add_step({"log", "probe", "The daemon's output.", "must",
                    {{"must", ValueKind::pattern, false, "a line that must be there"}}, true, false, "- log: ready"});
  catalog.add_step({"snapshot", "report", "Lists all domains.", "name",
                    {{"name", text, true, "before, after"}}, false, false, "- snapshot: before"});
  catalog.add_step({"background", "control", "Beside the main line.", "group",
                    {{"group", text, false, "its name"}}, false, true, "- background: chats",
                    "nothing"});
  catalog.add_step({"workload", "control", "Many requests.", "group",
                    {{"group", text, false, "its name"},
                     {"steps", ValueKind::step_list, true, "what is sent"}}, false, false,
                    "- workload: load\n  steps: [{http: GET /health}]", "nothing"});
  catalog.add_step({"join", "control", "Waits for a group.", "group",
                    {{"group", text, true, "its name"}}, true, false, "- join: chats", "nothing"});
  catalog.add_step({"heal", "fault", "Undoes a fault.", "fault", {{"fault", text, false, "which"}},
                    true, false, "- heal: wal-reader", "nothing"});
  catalog.add_step({"sqlite", "probe", "The database.", "query",
                    {{"query", text, false, "SQL"}, {"integrity", text, false, "the check"}}, true,
                    false, "- sqlite: SELECT 1", "integrity"});
  catalog.add_step({"shell", "request", "A command.", "command",
                    {{"command", text, true, "for sh"}, {"exit", text, false, "status or any"}},
                    true, false, "- shell: 'true'"});
  catalog.add_step({"compare", "report", "Compares two snapshots.", "",
                    {{"before", text, true, "a snapshot"}, {"after", text, true, "a later one"}},
                    false, false, "- compare: {before: a, after: b}"});
  catalog.add_step({"observe", "report", "A fact for the report.", "name",
                    {{"name", text, true, "as the report calls it"}, {"value", expression, false, "jq"}},
                    true, true, "- observe: {name: x, http: GET /health, value: .ok}",
                    "nothing"});
  catalog.add_step({"repeat", "control", "Again and again.", "",
                    {{"times", integer, false, "how often"}, {"steps", step_list, true, "the steps"}},
                    false, false, "- repeat: {times: 3, steps: [{start: {}}]}"});
  catalog.add_step({"parallel", "control", "At the same time.", "steps",
                    {{"steps", step_list, true, "the steps"}}, false, false,
                    "- parallel:\n    - http: GET /health\n    - http: GET /ready"});
  catalog.add_step({"fault", "fault", "Hurts.", "fault", {}, true, false, "- fault: wal-reader"});
  catalog.add_fault({"wal-reader", "fault", "Pins the WAL.", "", {}, true, false, "- fault: wal-reader"});
  catalog.add_fault({"container", "fault", "Hurts a container.", "label",
                     {{"label", text, true, "which"}, {"action", text, false, "what", {"kill", "pause"}}},
                     true, false, "- fault: {container: {label: a, action: kill}}"});
  for (const char* name : {"drop-row", "lose-item", "cut-off"}) catalog.add_sabotage(name);
  return catalog;
}
}  // namespace harness
