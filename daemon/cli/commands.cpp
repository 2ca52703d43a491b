// The rows: one line of thought per command, in the order in which help shows them.
#include "daemon/cli/commands.h"

#include <algorithm>

namespace aima::cli {
namespace {

const Flag kLimit{"limit", Value::integer, false, "at most so many (10000)"};
const Flag kOffset{"offset", Value::integer, false, "skip the first so many"};

constexpr const char* kModelStatus = "pending|ready|error";
constexpr const char* kServiceStatus = "creating|starting|running|stopping|stopped|failed";
constexpr const char* kSource = "builtin|user";
constexpr const char* kSeverity = "info|warning|critical";

Flag text(std::string field, std::string help, std::string shown = {}) {
  return {std::move(field), Value::text, false, std::move(help), std::move(shown)};
}
Flag required(std::string field, std::string help, std::string shown = {}) {
  return {std::move(field), Value::text, true, std::move(help), std::move(shown)};
}

std::vector<Flag> with_page(std::vector<Flag> flags) {
  flags.push_back(kLimit);
  flags.push_back(kOffset);
  return flags;
}

Command create(std::string group, std::string summary, std::vector<Flag> flags) {
  return {std::move(group), "create", std::move(summary), Action::unit, "", std::move(flags),
          true,             {}};
}
Command list(std::string group, std::string summary, std::vector<Flag> flags,
             std::vector<std::string> columns) {
  return {std::move(group), "list", std::move(summary), Action::unit, "",
          with_page(std::move(flags)), false, std::move(columns)};
}
Command by_id(std::string group, std::string verb, std::string summary,
              std::vector<Flag> flags = {}) {
  return {std::move(group), std::move(verb), std::move(summary), Action::unit, "id",
          std::move(flags), false,           {}};
}

void add_model(std::vector<Command>& rows) {
  rows.push_back(create("model", "register a model",
                        {required("name", "unique name"),
                         text("source", "where it comes from: ollama, huggingface, local, …"),
                         text("repo", "repository or tag at the source"),
                         text("type", "llm, asr, tts, …"), text("format", "gguf, safetensors, …"),
                         text("path", "file or folder on this machine", "FILE"),
                         {"size", Value::integer, false, "size in bytes"},
                         {"tags", Value::list, false, "words to find it by"}}));
  rows.push_back(list("model", "all models, oldest first",
                      {text("type", "only this type"), text("status", "only this status", kModelStatus),
                       text("source", "only from this source")},
                      {"id", "name", "type", "status", "source", "repo", "created_at"}));
  rows.push_back(by_id("model", "get", "one model"));
  rows.push_back(by_id("model", "delete", "remove a model that no service uses"));
}

void add_service(std::vector<Command>& rows) {
  rows.push_back(create("service", "define a service: a model served by an engine",
                        {required("model_id", "the model to serve", "MODEL"),
                         text("engine_type", "vllm, ollama, llamacpp, asr, tts", "ENGINE"),
                         text("name", "a name for people"),
                         {"port", Value::integer, false, "port to serve on (else a free one)"},
                         {"replicas", Value::integer, false, "how many"}}));
  rows.push_back(list("service", "all services, oldest first",
                      {text("status", "only this status", kServiceStatus),
                       text("model_id", "only of this model", "MODEL"),
                       text("engine_type", "only with this engine", "ENGINE")},
                      {"id", "name", "model_id", "engine_type", "status", "port", "provider",
                       "created_at"}));
  rows.push_back(by_id("service", "get", "one service, as stored"));
  rows.push_back(by_id("service", "status", "what its container or process says now"));
  Command start = by_id("service", "start",
                        "start it and wait until it is healthy; --timeout is the start's deadline",
                        {{"wait", Value::boolean, false, "wait until healthy (the default)"},
                         {"async", Value::boolean, false, "answer at once with status starting"}});
  start.action = Action::service_start;
  rows.push_back(std::move(start));
  rows.push_back(by_id("service", "stop", "stop and remove its container or process"));
  Command logs = by_id("service", "logs", "the engine's last log lines",
                       {{"tail", Value::integer, false, "how many lines (100)"}});
  logs.text_field = "logs";
  rows.push_back(std::move(logs));
  rows.push_back(by_id("service", "delete", "stop it and forget it"));
}

void add_engine(std::vector<Command>& rows) {
  rows.push_back(list("engine", "the engine types this daemon knows", {text("type", "only this type")},
                      {"name", "type", "image", "description"}));
  rows.push_back({"engine", "get", "one engine type", Action::unit, "id", {}, false, {}});
}

void add_catalog(std::vector<Command>& rows) {
  Flag hardware{"hardware", Value::json, false, R"(e.g. '{"gpu_vendor":"NVIDIA"}')"};
  rows.push_back(create("catalog", "add a recipe",
                        {required("name", "unique name"), text("engine_type", "the engine it is for", "ENGINE"),
                         hardware,
                         {"config", Value::json, false, "engine settings, free form"},
                         {"models", Value::list, false, "models it is for"},
                         {"tags", Value::list, false, "words to find it by"}}));
  rows.push_back(list("catalog", "all recipes, oldest first",
                      {text("engine_type", "only for this engine", "ENGINE")},
                      {"id", "name", "engine_type", "tags", "created_at"}));
  rows.push_back(by_id("catalog", "get", "one recipe"));
  rows.push_back(by_id("catalog", "delete", "remove a recipe"));
  hardware.required = true;
  rows.push_back({"catalog", "match", "recipes that fit this hardware, best first", Action::unit,
                  "", with_page({hardware, text("engine_type", "only for this engine", "ENGINE"),
                                 text("model", "only for this model")}), true,
                  {"score", "recipe.id", "recipe.name", "recipe.engine_type", "matched",
                   "unknown"}});
}

void add_skill(std::vector<Command>& rows) {
  rows.push_back(create("skill", "add a skill",
                        {required("name", "unique name"), text("description", "what it is for"),
                         {"keywords", Value::list, false, "words that call for it"},
                         text("category", "a group of skills"), text("content", "the text")}));
  const std::vector<std::string> columns{"id", "name", "category", "source", "description"};
  rows.push_back(list("skill", "built-in and own skills, oldest first",
                      {text("category", "only this category"), text("source", "only from there", kSource)},
                      columns));
  rows.push_back(by_id("skill", "get", "one skill, with its content"));
  rows.push_back(by_id("skill", "delete", "remove an own skill"));
  rows.push_back({"skill", "search", "skills whose name, description, keywords or content match",
                  Action::unit, "query",
                  with_page({text("category", "only this category"),
                             text("source", "only from there", kSource)}), false, columns});
}

void add_pipeline(std::vector<Command>& rows) {
  rows.push_back(create("pipeline", "define a pipeline: units run in the order of what they need",
                        {required("name", "unique name"), text("description", "for people"),
                         {"steps", Value::json, true,
                          R"([{"id":"a","unit":"model.list","input":{},"depends_on":[]}, …])"}}));
  rows.push_back(list("pipeline", "all pipelines, oldest first", {},
                      {"id", "name", "description", "created_at"}));
  rows.push_back(by_id("pipeline", "get", "one pipeline, with its steps"));
  rows.push_back(by_id("pipeline", "delete", "remove a pipeline"));
  rows.push_back(by_id("pipeline", "run", "start a run; answers its run id at once"));
  rows.push_back(by_id("pipeline", "status", "how a run stands, step by step (takes a run id)"));
  rows.push_back(by_id("pipeline", "cancel", "stop a run at its next step (takes a run id)"));
}

void add_alert(std::vector<Command>& rows) {
  rows.push_back(create("alert", "add an alert rule",
                        {required("name", "unique name"),
                         required("condition", "e.g. 'gpu_temp > 80'"),
                         text("action", "what to do, e.g. notify"),
                         text("severity", "how bad it is (warning)", kSeverity)}));
  rows.push_back(list("alert", "all alert rules, oldest first",
                      {text("severity", "only this severity", kSeverity)},
                      {"id", "name", "condition", "action", "severity", "created_at"}));
  rows.push_back(by_id("alert", "get", "one alert rule"));
  rows.push_back(by_id("alert", "delete", "remove an alert rule"));
}

void add_rest(std::vector<Command>& rows) {
  rows.push_back({"inference", "chat", "ask a running service of a model", Action::chat, "message",
                  {required("model", "model name or id", "MODEL"),
                   {"stream", Value::boolean, false, "print the answer as it comes"}},
                  false, {}});
  rows.push_back({"", "exec", "run any unit, e.g. exec model.list --input '{\"limit\":5}'",
                  Action::exec, "unit", {{"input", Value::json, false, "the unit's input"}}, true,
                  {}});
  rows.push_back({"", "status", "what the daemon says of itself", Action::status, "", {}, false,
                  {}});
  rows.push_back({"", "doctor", "check store, services, ports, provider and disk; changes nothing",
                  Action::doctor, "",
                  {text("data_dir", "folder of the database (the running daemon's)", "DIR"),
                   text("config", "settings file that the daemon is started with", "FILE")},
                  false, {}});
  Command selftest{"", "selftest", "run scenarios on this program, in a sandbox (needs aima-harness)",
                   Action::selftest, "scenario",
                   {{"list", Value::boolean, false, "only name the scenarios that are there"},
                    text("provider", "what engines run on (native)", "auto|docker|podman|native"),
                    {"jobs", Value::integer, false, "how many scenarios at once (1)"},
                    text("seed", "repeat a run's chance exactly", "N"),
                    text("out", "keep the runs with their evidence in this folder", "DIR")},
                   false, {}};
  selftest.takes_many = true;
  rows.push_back(std::move(selftest));
  rows.push_back({"", "version", "the version of this program", Action::version, "", {}, false,
                  {}});
}

std::vector<Command> make() {
  std::vector<Command> rows;
  rows.push_back({"", "start", "run the daemon in the foreground", Action::start, "",
                  {text("addr", "where to listen, port 0 for any (127.0.0.1:9090)", "HOST:PORT"),
                   text("data_dir", "folder of the database ($HOME/.aima/data)", "DIR"),
                   text("config", "settings file (TOML)", "FILE"),
                   text("shutdown_timeout", "how long a stop waits for requests (30s)", "T"),
                   text("drain_delay", "how long a stop serves on with /ready 503 (0s)", "T"),
                   text("provider", "what engines run on (auto)", "auto|docker|native"),
                   text("stores", "DOMAIN=memory|sqlite,… or all=sqlite", "DOMAIN=STORE,…"),
                   text("engine_ports", "ports given to engines (8000-8999)", "A-B"),
                   text("log_level", "what is logged (info)", "trace|debug|info|warn|error"),
                   text("log_format", "how it is logged (text)", "text|json")},
                  false, {}});
  add_model(rows);
  add_service(rows);
  add_engine(rows);
  add_catalog(rows);
  add_skill(rows);
  add_pipeline(rows);
  add_alert(rows);
  add_rest(rows);
  return rows;
}
}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> table = make();
  return table;
}

std::vector<const Command*> commands_of(std::string_view group) {
  std::vector<const Command*> found;
  for (const Command& command : commands()) {
    if (!command.group.empty() && command.group == group) found.push_back(&command);
  }
  return found;
}

const Command* find_command(std::string_view group, std::string_view verb) {
  for (const Command& command : commands()) {
    if (command.group == group && command.verb == verb) return &command;
  }
  return nullptr;
}

std::string flag_name(std::string_view field) {
  std::string name = "--" + std::string(field);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}
}  // namespace aima::cli
