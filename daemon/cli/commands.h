// The table of commands: what can be typed, which unit it runs and how its answer is shown.
// Adding a command is one row in commands.cpp; parsing, help, did-you-mean and output follow.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace aima::cli {

// How the text of a flag becomes JSON.
enum class Value {
  text,
  integer,
  number,
  boolean,  // a bare flag: present means true
  json,     // a JSON document typed in quotes
  list      // repeatable, or separated by commas: a list of strings
};

struct Flag {
  std::string field;  // JSON field; the flag is the same word with dashes: model_id, --model-id
  Value value = Value::text;
  bool required = false;
  std::string help;
  // What help, man page and completion show for the value: words "auto|docker|native", or FILE, DIR,
  // MODEL, ENGINE, which completion knows how to find. Empty: the field's name in capitals.
  std::string shown = {};
};

enum class Action {
  unit,           // one call of group.verb, the input made from the flags
  service_start,  // the same, but --timeout is the start's deadline
  chat,           // inference.chat: the message becomes `messages`; may stream
  exec,           // any unit, its input typed as JSON
  status,
  version,
  start,
  doctor,   // daemon/doctor
  selftest  // the harness, run on this program
};

struct Command {
  std::string group;  // "model"; empty for `aima status` and its like
  std::string verb;   // "create"
  std::string summary;
  Action action = Action::unit;
  std::string positional;  // JSON field that the bare word fills; empty: none is taken
  std::vector<Flag> flags;
  bool takes_file = false;           // --file F: a JSON or YAML body
  // Of the table, for lists ("recipe.name" looks inside); empty: the object's own fields.
  std::vector<std::string> columns;
  std::string text_field = {};  // for people only this field's text is printed, as it is
  bool takes_many = false;      // the bare words are a list, which may be empty

  std::string typed() const { return group.empty() ? verb : group + " " + verb; }
};

const std::vector<Command>& commands();
// All verbs of a group, in the table's order; empty where there is no such group.
std::vector<const Command*> commands_of(std::string_view group);
const Command* find_command(std::string_view group, std::string_view verb);
std::string flag_name(std::string_view field);  // model_id → --model-id

}  // namespace aima::cli
