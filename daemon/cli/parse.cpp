// See parse.h. The only file that includes CLI11: one flat parser is made per call, for the one
// command that was named, so that the cost does not grow with the table.
#include "daemon/cli/parse.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <charconv>
#include <map>

#include "daemon/cli/body_file.h"
#include "daemon/cli/globals.h"
#include "daemon/cli/help.h"
#include "daemon/cli/suggest.h"

namespace aima::cli {
namespace {

tl::unexpected<Error> usage_error(std::string message) {
  return fail(0, "usage", std::move(message));
}

// What CLI11 fills: the texts as typed, by field.
struct Typed {
  std::map<std::string, std::vector<std::string>> texts;
  std::map<std::string, bool> bare;
  std::string positional;
  std::vector<std::string> many;  // where the command takes a list of them
  std::string file;
};

std::vector<std::string> flags_of(const Command& command) {
  std::vector<std::string> names = global_flags();
  for (const Flag& flag : command.flags) names.push_back(flag_name(flag.field));
  if (command.takes_file) names.push_back("--file");
  return names;
}

Result<const Command*> pick(const std::vector<std::string>& words, std::size_t& used) {
  const std::string& word = words.front();
  used = 1;
  if (const Command* single = find_command("", word)) return single;
  const auto verbs = commands_of(word);
  if (verbs.empty()) {
    std::vector<std::string> known{"help"};
    for (const Command& command : commands()) {
      known.push_back(command.group.empty() ? command.verb : command.group);
    }
    return usage_error("there is no command \"" + word + "\"" + did_you_mean(word, known) +
                 "; aima --help lists them");
  }
  std::vector<std::string> names;
  std::string listed;
  for (const Command* verb : verbs) {
    names.push_back(verb->verb);
    listed += (listed.empty() ? "" : ", ") + verb->verb;
  }
  if (words.size() < 2 || words[1].starts_with('-')) {
    return usage_error("aima " + word + " wants one of: " + listed);
  }
  used = 2;
  if (const Command* command = find_command(word, words[1])) return command;
  return usage_error("aima " + word + " has no command \"" + words[1] + "\"" +
               did_you_mean(words[1], names) + "; it has: " + listed);
}

Result<void> scan(const Command& command, const std::vector<std::string>& rest, Typed& typed) {
  CLI::App app("", "aima " + command.typed());
  app.set_help_flag();
  app.allow_extras();  // judged below, with better words
  for (const Flag& flag : command.flags) {
    std::string names = flag_name(flag.field);
    if (flag.field.find('_') != std::string::npos) names += ",--" + flag.field;
    if (flag.value == Value::boolean) {
      app.add_flag(names, typed.bare[flag.field]);
    } else {
      auto* option = app.add_option(names, typed.texts[flag.field]);
      option->type_size(1)->expected(1)->allow_extra_args(false);
      option->multi_option_policy(flag.value == Value::list ? CLI::MultiOptionPolicy::TakeAll
                                                            : CLI::MultiOptionPolicy::Throw);
    }
  }
  if (command.takes_file) app.add_option("--file", typed.file);
  if (command.takes_many) {
    app.add_option(command.positional, typed.many);
  } else if (!command.positional.empty()) {
    app.add_option(command.positional, typed.positional);
  }
  std::vector<std::string> reversed(rest.rbegin(), rest.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return usage_error("aima " + command.typed() + ": " + error.what());
  }
  for (const std::string& extra : app.remaining()) {
    if (extra == "--") continue;  // CLI11 leaves the mark among the words
    if (extra.size() > 1 && extra[0] == '-') {
      const std::string name = extra.substr(0, extra.find('='));
      return usage_error("aima " + command.typed() + " has no flag " + name +
                   did_you_mean(name, flags_of(command)));
    }
    return usage_error("aima " + command.typed() + ": \"" + extra + "\" is one word too many" +
                 (command.positional.empty() ? "" : " (a text with blanks wants quotes)"));
  }
  return {};
}

Result<Json> integer(const std::string& name, const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return usage_error(name + " wants a whole number, got \"" + text + "\"");
  }
  return number;
}

Result<Json> document(const std::string& name, const std::string& text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    return usage_error(name + " wants JSON, got \"" + text + "\": " + error.what());
  }
}

Json split(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const std::string& text : texts) {
    std::size_t begin = 0;
    while (begin <= text.size()) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      if (end > begin) list.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return list;
}

Result<Json> value_of(const Flag& flag, const std::vector<std::string>& texts) {
  const std::string name = flag_name(flag.field);
  switch (flag.value) {
    case Value::integer: return integer(name, texts.front());
    case Value::number: {
      auto number = document(name, texts.front());
      if (number && number->is_number()) return number;
      return usage_error(name + " wants a number, got \"" + texts.front() + "\"");
    }
    case Value::json: return document(name, texts.front());
    case Value::list: return split(texts);
    case Value::text:
    case Value::boolean: break;
  }
  return Json(texts.front());
}

Result<Json> make_input(const Command& command, const Typed& typed) {
  Json input = Json::object();
  if (!typed.file.empty()) {
    auto body = read_body(typed.file);
    if (!body) return body;
    input = std::move(*body);
  }
  if (!command.positional.empty() && !typed.positional.empty()) {
    input[command.positional] = typed.positional;
  }
  for (const Flag& flag : command.flags) {
    if (flag.value == Value::boolean) {
      if (typed.bare.at(flag.field)) input[flag.field] = true;
      continue;
    }
    const auto& texts = typed.texts.at(flag.field);
    if (!texts.empty()) {
      auto value = value_of(flag, texts);
      if (!value) return value;
      input[flag.field] = std::move(*value);
    }
    if (flag.required && !input.contains(flag.field)) {
      return usage_error("aima " + command.typed() + " wants " + flag_name(flag.field) + ": " +
                   flag.help +
                   (command.takes_file ? " (or \"" + flag.field + "\" in --file)" : ""));
    }
  }
  if (command.takes_many) {
    if (!typed.many.empty()) input[command.positional] = typed.many;
  } else if (!command.positional.empty() && !input.contains(command.positional)) {
    std::string upper = command.positional;
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return usage_error("aima " + command.typed() + " wants " + upper + "; try aima " + command.typed() +
                 " --help");
  }
  return input;
}

// exec: the unit is the bare word, its input the JSON typed or the file.
Result<void> finish_exec(const Typed& typed, Invocation& out) {
  out.unit = out.input["unit"].get<std::string>();
  const std::size_t dot = out.unit.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == out.unit.size() ||
      out.unit.find_first_of("/?#% ") != std::string::npos) {
    return usage_error("aima exec: \"" + out.unit +
                 "\" is no unit: they read domain.verb, as model.list");
  }
  if (out.input.contains("input") && !typed.file.empty()) {
    return usage_error("aima exec: --input and --file both give the input; use one");
  }
  out.input.erase("unit");
  Json input = typed.file.empty() ? out.input.value("input", Json::object()) : out.input;
  if (!input.is_object()) return usage_error("aima exec: --input wants a JSON object");
  out.input = std::move(input);
  return {};
}

Result<void> finish_service_start(Invocation& out) {
  const bool async = out.input.contains("async");
  if (async && out.input.contains("wait")) {
    return usage_error("aima service start: --wait and --async exclude each other");
  }
  out.input.erase("wait");
  if (out.globals.timeout) {
    // Whole seconds, rounded up: the field of the unit counts in seconds.
    out.input["timeout"] = (out.globals.timeout->count() + 999) / 1000;
  }
  return {};
}

Result<Invocation> help_for(const std::vector<std::string>& words, Invocation out) {
  out.command = nullptr;
  if (words.empty()) {
    out.help = help_all();
    return out;
  }
  const bool verb_named = words.size() > 1 && !words[1].starts_with('-');
  if (!verb_named && !commands_of(words.front()).empty()) {
    out.help = help_group(words.front());
    return out;
  }
  std::size_t used = 0;
  const auto command = pick(words, used);
  if (!command) return tl::unexpected(command.error());
  out.help = help_command(**command);
  return out;
}
}  // namespace

Result<Invocation> parse(const std::vector<std::string>& words, const Environment& environment,
                         Globals& globals) {
  auto taken = take_globals(words, environment, globals);
  if (!taken) return tl::unexpected(taken.error());
  std::vector<std::string> rest = taken->rest;
  Invocation out;
  out.globals = globals;
  if (!rest.empty() && rest.front() == "help") {
    rest.erase(rest.begin());
    return help_for(rest, std::move(out));
  }
  if (taken->help) return help_for(rest, std::move(out));
  if (rest.empty() && taken->before == std::vector<std::string>{"--version"}) {
    rest = {"version"};
    taken->before.clear();
  }
  if (!taken->before.empty()) {
    const std::string name = taken->before.front().substr(0, taken->before.front().find('='));
    return usage_error(name + " stands before the command, where only global flags may" +
                 did_you_mean(name, global_flags()));
  }
  if (rest.empty()) return usage_error("no command was given; aima --help lists them");
  std::size_t used = 0;
  const auto command = pick(rest, used);
  if (!command) return tl::unexpected(command.error());
  out.command = *command;
  Typed typed;
  rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(used));
  if (auto done = scan(**command, rest, typed); !done) return tl::unexpected(done.error());
  auto input = make_input(**command, typed);
  if (!input) return tl::unexpected(input.error());
  out.input = std::move(*input);
  Result<void> done;
  if (out.command->action == Action::exec) {
    done = finish_exec(typed, out);
  } else if (!out.command->group.empty()) {
    out.unit = out.command->group + "." + out.command->verb;
  }
  if (out.command->action == Action::service_start) done = finish_service_start(out);
  if (!done) return tl::unexpected(done.error());
  return out;
}
}  // namespace aima::cli
