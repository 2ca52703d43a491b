// See cli.h: what each kind of command does with the daemon's answers.
#include "daemon/cli/cli.h"

#include <cstdio>
#include <cstdlib>

#include "daemon/cli/call.h"
#include "daemon/cli/doctor_text.h"
#include "daemon/cli/format.h"
#include "daemon/cli/help.h"
#include "daemon/cli/parse.h"
#include "daemon/cli/selftest.h"
#include "version.h"

namespace aima::cli {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kRefused = 1;
constexpr int kUsage = 64;
constexpr int kNoDaemon = 69;
constexpr seconds kAnswer{30};     // most commands
constexpr seconds kEngine{120};    // stop, status, logs, delete: a container engine takes part
constexpr seconds kInference{600};
constexpr seconds kStart{300};     // a service start's own deadline where none is typed
constexpr seconds kStartMore{5};   // so that the daemon's answer about a late start still arrives

int status_of(const Error& error) {
  if (error.code == "usage") return kUsage;
  if (error.code == "no_daemon" || error.code == "no_harness") return kNoDaemon;
  return kRefused;
}

int print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return 0;
  std::fputs("aima: the result could not be written to standard output\n", stderr);
  return kRefused;
}

int refuse(const Error& error, Output output) {
  const std::string text = format_error(error, output);
  std::fwrite(text.data(), 1, text.size(), stderr);
  return status_of(error);
}

int show(const Invocation& invocation, const Result<Json>& answer) {
  const Output output = invocation.globals.output;
  if (!answer) return refuse(answer.error(), output);
  const std::string& text = invocation.command->text_field;
  if (output == Output::table && !text.empty() && answer->contains(text) &&
      (*answer)[text].is_string()) {
    const auto shown = (*answer)[text].get<std::string>();
    return print(shown.empty() || shown.ends_with('\n') ? shown : shown + "\n");
  }
  return print(format(*answer, output, invocation.command->columns));
}

milliseconds deadline_of(const Invocation& invocation) {
  if (invocation.globals.timeout) return *invocation.globals.timeout;
  return invocation.unit.starts_with("service.") ? kEngine : kAnswer;
}

int service_start(const Invocation& invocation) {
  Json input = invocation.input;
  milliseconds deadline = kAnswer;
  if (!input.contains("async")) {
    if (!input.contains("timeout")) input["timeout"] = kStart.count();
    deadline = seconds(input["timeout"].get<std::int64_t>()) + kStartMore;
  }
  return show(invocation, call_unit(invocation.globals, invocation.unit, input, deadline));
}

int chat(const Invocation& invocation) {
  const Globals& globals = invocation.globals;
  const bool stream = invocation.input.contains("stream");
  Json input{{"model", invocation.input["model"]}};
  input["messages"] =
      Json::array({Json{{"role", "user"}, {"content", invocation.input["message"]}}});
  if (stream) input["stream"] = true;
  const milliseconds deadline = globals.timeout.value_or(kInference);
  if (!stream) {
    const auto answer = call_unit(globals, invocation.unit, input, deadline);
    const Json::json_pointer content("/choices/0/message/content");
    const bool text = answer && globals.output == Output::table && answer->contains(content) &&
                      (*answer)[content].is_string();
    return text ? print((*answer)[content].get<std::string>() + "\n") : show(invocation, answer);
  }
  // Programs get one document at the end; people see the words as they come.
  const bool live = globals.output == Output::table;
  int written = 0;
  const auto answer =
      stream_chat(globals, input, deadline, [live, &written](const std::string& text) {
        if (live && written == 0) written = print(text);
      });
  if (live) print("\n");
  if (!answer) return refuse(answer.error(), globals.output);
  return live ? written : show(invocation, answer);
}

int status(const Invocation& invocation) {
  int code = 0;
  const auto ready = get_path(invocation.globals, "/ready", code);
  if (!ready) return refuse(ready.error(), invocation.globals.output);
  auto info = call_unit(invocation.globals, "system.info", Json::object(), kAnswer);
  if (!info) return refuse(info.error(), invocation.globals.output);
  Json out{{"server", invocation.globals.server}, {"ready", code == 200}};
  for (const auto& [field, value] : info->items()) out[field] = value;
  return show(invocation, out);
}

int version_of(const Invocation& invocation) {
  if (invocation.globals.output == Output::table) {
    return print(std::string("aima ") + version + "\n");
  }
  return show(invocation, Json{{"version", version}});
}

Result<std::map<std::string, std::string>> stores_of(const std::string& text) {
  std::map<std::string, std::string> stores;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string pair = text.substr(begin, end - begin);
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      return fail(0, "usage", "--stores wants DOMAIN=memory or DOMAIN=sqlite, separated by commas, "
                              "or all=sqlite; got \"" + pair + "\"");
    }
    if (!stores.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second) {
      return fail(0, "usage", "--stores names " + pair.substr(0, equals) + " twice");
    }
    begin = end + 1;
  }
  return stores;
}

int start_daemon(const Invocation& invocation, const Start& start) {
  const Json& typed = invocation.input;
  StartOptions options;
  const auto take = [&typed](const char* field, std::optional<std::string>& into) {
    if (typed.contains(field)) into = typed[field].get<std::string>();
  };
  take("addr", options.addr);
  take("data_dir", options.data_dir);
  take("config", options.config_file);
  take("shutdown_timeout", options.shutdown_timeout);
  take("drain_delay", options.drain_delay);
  take("provider", options.provider);
  take("engine_ports", options.engine_ports);
  take("log_level", options.log_level);
  take("log_format", options.log_format);
  if (typed.contains("stores")) {
    auto stores = stores_of(typed["stores"].get<std::string>());
    if (!stores) return refuse(stores.error(), invocation.globals.output);
    options.stores = std::move(*stores);
  }
  return start(options);
}

int examine(const Invocation& invocation, const Doctor& doctor) {
  const Globals& globals = invocation.globals;
  DoctorOptions options;
  const auto take = [&](const char* field, std::optional<std::string>& into) {
    if (invocation.input.contains(field)) into = invocation.input[field].get<std::string>();
  };
  take("data_dir", options.data_dir);
  take("config", options.config_file);
  if (globals.server_given) options.server = globals.server;
  options.api_key = globals.api_key;
  options.timeout = globals.timeout;
  const Json report = doctor(options);
  const bool people = globals.output == Output::table;
  if (const int failed = print(people ? doctor_text(report) : format(report, globals.output, {}));
      failed != 0) {
    return failed;
  }
  if (report["result"] == "interrupted") return 128 + report.value("signal", 0);
  return report["result"] == "ok" ? 0 : report["result"] == "warning" ? 1 : 2;
}

int test_this_program(const Invocation& invocation) {
  const auto status = run_selftest(invocation);
  return status ? *status : refuse(status.error(), invocation.globals.output);
}

std::optional<std::string> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}
}  // namespace

int run(int argc, char** argv, const Start& start, const Doctor& doctor) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  Globals globals;
  const auto invocation = parse(words, from_environment, globals);
  if (!invocation) return refuse(invocation.error(), globals.output);
  if (invocation->command == nullptr) return print(invocation->help);
  switch (invocation->command->action) {
    case Action::start: return start_daemon(*invocation, start);
    case Action::doctor: return examine(*invocation, doctor);
    case Action::selftest: return test_this_program(*invocation);
    case Action::version: return version_of(*invocation);
    case Action::status: return status(*invocation);
    case Action::service_start: return service_start(*invocation);
    case Action::chat: return chat(*invocation);
    case Action::unit:
    case Action::exec: break;
  }
  return show(*invocation, call_unit(invocation->globals, invocation->unit, invocation->input,
                                     deadline_of(*invocation)));
}

}  // namespace aima::cli
