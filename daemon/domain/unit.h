// A unit is `domain.verb`: its schema and what runs it. The gateway, the command line's `exec` and
// pipelines all go through this table; adding a unit is one function and one row.
//
// Threads: `run` is called on the gateway's only I/O thread and must not block there.
//   - queries that read the store answer at once, by calling `done` before returning;
//   - writes go to Store::write, whose `done` runs on the writer thread after the durable commit;
//   - anything that talks to an engine or waits runs on a thread of its owner (provider, pipeline).
// `done` may be called from any thread, exactly once. The gateway posts the reply to its own
// thread.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/domain/done.h"

namespace aima {

enum class FieldType { string, integer, number, boolean, object, string_list, object_list };

struct Field {
  std::string name;  // "*": further keys of any name and type are passed on unchecked
  FieldType type = FieldType::string;
  bool required = false;
  std::string help;
  Json fallback = nullptr;             // value when absent; null: stays absent
  std::vector<std::string> aliases;    // other accepted names (`model_id` for `id`)
  std::vector<std::string> allowed;    // for strings: the only values; empty: any
  double minimum = lowest;             // for integers and numbers
  double maximum = highest;

  // Beyond these a double does not hold every integer.
  static constexpr double lowest = -9.0e15;
  static constexpr double highest = 9.0e15;
  bool has_minimum() const { return minimum != lowest; }
  bool has_maximum() const { return maximum != highest; }
};

// A whole number as an integer, for readers: 1, not 1.0.
Json plain_number(double value);

enum class UnitKind { query, command };

// Where a streaming unit writes its reply (inference.chat). Given by the gateway when the client
// can be streamed to. All calls thread-safe; after `closed()` writes are dropped.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  virtual void begin(int http_status, std::string content_type) = 0;
  // `sent` is called on the I/O thread once the client has room for more (also when the chunk was
  // dropped): who waits for it before the next chunk never outruns a slow client.
  virtual void write(std::string chunk, std::move_only_function<void()> sent) = 0;
  virtual void end() = 0;    // complete: the last chunk is sent
  virtual void abort() = 0;  // cut: the connection ends without the last chunk
  virtual bool closed() const = 0;
};

struct Call {
  Json input = Json::object();  // checked and completed by the unit's schema before `run`
  std::string request_id;
  std::stop_token stop;                // the client is gone or the drain has run out of time
  std::shared_ptr<StreamSink> stream;  // null where a stream is not possible
  std::string client;                  // whose API key it came with, as a name; "" without keys
  std::optional<std::string> idempotency_key;  // as sent; counts for commands that take one
  std::function<void()> on_replay;  // called before an answer that is a kept one; may be empty
};

struct Unit;
// Calls Unit::run at most once per key, or answers in its place (units/idempotency.h).
using UnitGuard = std::function<void(const Unit&, Call, Done)>;

struct Unit {
  std::string domain;
  std::string verb;
  UnitKind kind = UnitKind::query;
  std::string summary;
  std::vector<Field> fields;
  std::function<void(Call, Done)> run;
  bool takes_key = true;  // of commands: an Idempotency-Key counts; else it is ignored
  UnitGuard guard = {};   // UnitRegistry::guard_commands
  // Of a query whose whole input is the id in its first field: what `run` would answer, already
  // written as JSON. Null: ask `run`, which also knows what to say of an unknown id. Does not throw.
  std::function<std::shared_ptr<const std::string>(const std::string& id)> text = {};
  std::string name() const { return domain + "." + verb; }
};

// Checks `input` against `fields`: unknown keys, wrong types, missing and out-of-range values are
// refused by name (400); aliases are renamed; fallbacks filled in.
Result<Json> check_input(const std::vector<Field>& fields, Json input);

// The same from a query string's pairs: numbers and booleans are parsed as the schema says.
Result<Json> input_from_query(const std::vector<Field>& fields,
                              const std::vector<std::pair<std::string, std::string>>& pairs);

// The reply to a query string that is nothing but the id, where the unit has it written. Null: the
// unit has to be run.
std::shared_ptr<const std::string> ready_text(
    const Unit& unit, const std::vector<std::pair<std::string, std::string>>& pairs);

class UnitRegistry {
 public:
  void add(Unit unit);  // a duplicate name aborts: it is a programming error
  const Unit* find(std::string_view domain, std::string_view verb) const;
  const std::vector<std::unique_ptr<Unit>>& all() const { return units_; }
  // From now on `guard` runs the commands that came with an idempotency key; until then, and for
  // units added later, keys are ignored.
  void guard_commands(const UnitGuard& guard);
  // Checks the input and runs the unit; unknown unit is 404 with a near miss named.
  void execute(std::string_view domain, std::string_view verb, Call call, Done done) const;
  // The same for who has the unit already.
  static void run(const Unit& unit, Call call, Done done);

 private:
  std::vector<std::unique_ptr<Unit>> units_;
};

}  // namespace aima
