// The sole writer of a run's history and evidence. Thread-safe. Each event is written with one
// write(2) before the call returns, so a killed harness loses at most the event being written. After
// a write that failed nothing more is written: what there is stays readable.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

// Takes secrets out (rule 11): Authorization and Cookie headers, values of *KEY, *TOKEN, *PASSWORD,
// and every value registered as secret, wherever it stands in text. Copies know the same secrets;
// thread-safe.
class Redactor {
 public:
  Redactor();
  void add_secret(std::string value);
  std::string text(std::string_view input) const;
  Json json(const Json& input) const;

 private:
  struct Secrets;
  std::shared_ptr<Secrets> secrets_;
};

class Recorder {
 public:
  // `folder` exists and is empty; creates history.jsonl and evidence/ in it.
  static Result<std::unique_ptr<Recorder>> create(const std::filesystem::path& folder,
                                                  Redactor redactor);
  ~Recorder();

  // Once the history holds most_documents bytes, the documents of observations are left out of it
  // ({"cut": true}: no expectation is judged over them).
  static constexpr std::size_t most_documents = 128u << 20;
  // All evidence of a run together; what comes later is not kept, and a fact says so.
  static constexpr std::size_t most_evidence = 256u << 20;

  void record(std::string_view kind, Json fields);
  void record_durably(std::string_view kind, Json fields);  // and fdatasync: debts before faults

  // Writes down what a file of the run's folder holds, so that `judge` sees if it was edited.
  void vouch(const std::string& path, std::string_view bytes);
  // Stores bytes under evidence/ and vouches for them, redacted, at most `most` bytes kept (head and tail, the cut
  // named). Returns the path relative to the run folder: a name taken already gets a number. Empty
  // if it could not be written (see trouble()).
  std::string evidence(std::string_view name, std::string_view bytes, std::size_t most = 1 << 20);
  std::filesystem::path folder() const;
  std::int64_t now_us() const;  // on the run's clock
  std::int64_t at_us(Instant instant) const;
  Redactor& redactor();
  // The first write error, if any: an unwritable history ends the run as an error.
  std::string trouble() const;

 private:
  struct State;
  explicit Recorder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};
}  // namespace harness
