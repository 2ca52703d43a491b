// The course of the control run, step by step: when the daemon was up, where it died, what the
// survey saw there. What every world sabotage tells its places from.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/prove/sabotage.h"

namespace harness {

// One step at the top of `steps` that the control run reached.
struct Passage {
  const Step* step = nullptr;
  bool ok = false;       // its outcome
  bool started = false;  // a daemon was spawned within it
  bool died = false;     // one ended within it
  bool up = false;       // one runs when it has ended
  Milliseconds took{0};
  std::string signal;              // of the death, if it was by one: "KILL"
  const Json* survey = nullptr;    // see surveyor.h
  const Json* document = nullptr;  // what it observed
  bool down_after() const { return died && !up; }
  // The daemon is down at some moment of it, and something comes after that moment.
  bool leaves_a_gap(bool last) const { return died && (started || (!up && !last)); }
};

class Course {
 public:
  explicit Course(const ProofSubject& subject);
  const std::vector<Passage>& passages() const { return passages_; }
  const Passage* find(const std::string& path) const;
  // Where files and engines can be hurt while no daemon runs, in order.
  std::vector<const Passage*> gaps() const;
  // Those after which somebody reads the data: a daemon that is started, or a query. What is done to the
  // data in the others is nobody's to notice.
  std::vector<const Passage*> gaps_before_reading() const;
  // The same, an integrity check counted too.
  std::vector<const Passage*> gaps_before_checking() const;
  // The first survey with tables: what the database held before the run filled it.
  const Json* first_survey() const;
  // The steps after this one, up to (and with) the next that starts a daemon.
  std::vector<const Passage*> until_next_start(const Passage& from) const;
  // The next one after `from` of which `holds` is true; null where there is none.
  template <typename Holds>
  const Passage* next(const Passage& from, Holds holds) const {
    for (const Passage* one = &from + 1; one < passages_.data() + passages_.size(); ++one) {
      if (holds(*one)) return one;
    }
    return nullptr;
  }

 private:
  std::vector<Passage> passages_;
};

// How long a step may take that waits for what a strike makes sure never comes: what it took in the
// control run, and a little more.
class Patience {
 public:
  explicit Patience(const ProofSubject& subject);
  Milliseconds with(const Step& step) const;

 private:
  std::map<std::string, Milliseconds> took_;  // by path
};

bool judged(const Step& step);  // a criterion names it, or one of its domains
// "3" for a step of criterion 3, "1, 2" for several.
std::string criteria_text(const Step& step);
bool is_await(const Step& step, std::string_view key);  // {await: {exit: …}}
// Signals that ask a daemon to leave: "TERM", "INT", "QUIT", "HUP".
bool asks_to_leave(const Step& step);
// What the step's expression and captures read, as written; for "does it look at `.mode`?".
std::string expression_text(const Step& step);
}  // namespace harness
