// The events of a run: one JSON object a line in history.jsonl, append-only, written as it happens.
// The judge reads nothing else (beside the scenario's text), so whatever a verdict needs is here.
//
// Every event has "n" (from 1, no gaps), "t_us" (microseconds on the run's monotonic clock), "event"
// and, last, "hash": what chains it to the line before (chain.h). The table of kinds and their fields
// (all times in microseconds since the run began):
//
//   run.begin     run_id, scenario, file, seed, harness_version, utc, target, command, provider
//                 ("docker" | "podman" | "native" | "none"), provider_detail, host{…}, containment
//                 ("cgroup v2"), variables{…}
//   file          path, bytes, sha256 — a file of the run's folder, as soon as it was written and with
//                 secrets taken out: scenario.yaml, plan.json, then each of evidence/
//   step.begin    step, kind, line, source            (step = its path, "3" or "3.1" or "f1")
//   step.end      step, outcome, message, begin_us, end_us, [hint], [last_log[]]
//                 outcome: ok | failed | inconclusive | error | skipped | interrupted
//                   failed = the subject's doing; inconclusive = we cannot tell; error = ours
//   observation   step, document, bindings{…}, summary, [command], [evidence[]] — what expect and
//                 capture of that step look at; exactly one for each step that observes and ended ok
//                 (repeat and parallel: their children's). Documents over 64 KiB are cut to
//                 {"cut": true, …} only if no expression looks at them; else kept whole up to 8 MiB.
//   capture       step, name, value
//   snapshot      name, step, domains{NAME: {items[], key, volatile[], created[]} | {error, [kind]}}
//                 created: the objects this run made, each by its key's value (or as the object);
//                 kind: "subject" where the daemon itself refused to list them
//   comparison    step, before, after
//   daemon.start  instance, pid, start_ticks, command[], step
//   daemon.ready  instance, after_us, by ("notify" | "log" | "port" | "http")
//   daemon.not_started  instance, [step], reason, kind ("exited" | "timeout" | "exec" | "port"),
//                 last_log[]; where its step ended ok, the scenario had asked for the refusal
//   daemon.exit   instance, pid, code | signal, core, asked ("" or the step that asked for it),
//                 expected (bool: how it died is how it was made to die), after_us (since asked),
//                 last_log[], [reason], [cpu_us] (user and system time of it and of what
//                 it waited for), [oom] (what points to the out-of-memory killer)
//   signal.sent   instance, pid, signal, step
//   process.state instance, state ("T", "R", …), step    — proof of a pause or resume
//   fault.debt    id, fault, undo{…}, step          — durable before the fault strikes
//   fault.struck  id, evidence{…}
//   fault.missed  id, reason                        — the run becomes inconclusive
//   fault.healed  id, ok, detail
//   request.begin id, step, method, target | command
//   request.end   id, step, outcome (ok | fail | indeterminate), status, error, begin_us, end_us
//   fact          name, value, text                 — `observe`, and what the runner itself knows
//   leftovers     found[{kind, what, whose ("daemon" | "harness"), removed}], [ended[…]: what was
//                 ended with the run and is nobody's leak]   — after every run
//   survey        step, … — what the control run of `prove` saw of its world (prove/surveyor.h); no
//                 verdict looks at it
//   interrupted   signal
//   harness.late  begin_us, end_us, stopped (bool: by SIGSTOP) — the harness itself stood still: what
//                 failed after that is inconclusive
//   run.end       duration_us, stopped_at (step or ""), reason, [skipped] (true: `needs` unmet),
//                 [cpu_us{harness, children}]: of this process during the run, and of the programs that
//                 it started and waited for, the daemon among them; engines and containers are not; its
//                 hash is the head of the chain, which verdict.json and the reports name
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

struct Event {
  std::int64_t n = 0;
  std::int64_t t_us = 0;
  std::string kind;
  Json fields;  // all of the line, "n", "t_us", "event" and "hash" included
};

struct History {
  std::vector<Event> events;
  bool cut = false;         // no run.end, or a torn last line: the run was cut off
  std::string cut_reason;   // for the report
  std::string head;         // of the chain, verified; empty where the lines carry none
};

// Reads a history line by line. A line that does not follow from those before is an error that says
// which and why: a gap in n, time running backwards, something that is no event, a hash that is not
// that of the line. Either every line carries a hash or none does (a history written by hand).
class HistoryReader {
 public:
  Result<void> add(std::string_view line);  // a whole one, without its line break
  // What stands after the last line break: an event that is whole, or nothing where it is torn.
  Result<std::optional<Event>> tail(std::string_view line) const;
  // All that was read, ended by these bytes; afterwards the reader is empty.
  Result<History> end(std::string_view rest);
  std::size_t lines() const { return events_.size(); }

 private:
  struct Next;
  Result<Next> next(std::string_view line) const;
  Result<std::string> linked(std::string_view line, const Event& event) const;

  std::vector<Event> events_;
  std::string head_;
  std::size_t values_left_ = 8'000'000;  // in memory; a history of 128 MiB has fewer
  bool ended_ = false;
};

// Reads as far as the lines are whole. A torn last line or a missing run.end is `cut`, not an error.
// A file that is no plain file, or larger than this, is an error; the recorder stops to keep documents
// long before.
constexpr std::size_t most_history_bytes = 256u << 20;
Result<History> read_history(const std::string& path);
Result<History> parse_history(const std::string& text);
// "event 7 (step.end of step 2)"
std::string describe(const Event& event);
}  // namespace harness
