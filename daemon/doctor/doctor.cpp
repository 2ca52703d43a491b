// See doctor.h: what is asked in which order, and the report.
#include "daemon/doctor/doctor.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "daemon/doctor/ask.h"
#include "daemon/doctor/checks.h"
#include "daemon/doctor/folder.h"
#include "daemon/doctor/store_check.h"
#include "daemon/gateway/start_settings.h"
#include "daemon/log/log.h"
#include "daemon/provider/rows.h"

namespace aima {
namespace doctor {
namespace fs = std::filesystem;
namespace {
using namespace std::chrono_literals;

constexpr auto kTimeForStore = 120s;  // where --timeout does not say
constexpr auto kSettling = 5s;        // a daemon corrects its rows every 2 s
constexpr std::array<int, 3> kEnding{SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t ending_signal = 0;
void note_signal(int number) { ending_signal = number; }

// While it lives, a signal ends the work at the next step instead of leaving the copy behind.
class EndsOnSignals {
 public:
  EndsOnSignals() {
    ending_signal = 0;
    struct sigaction action {};
    action.sa_handler = note_signal;
    for (std::size_t i = 0; i < kEnding.size(); ++i) sigaction(kEnding[i], &action, &before_[i]);
  }
  EndsOnSignals(const EndsOnSignals&) = delete;
  EndsOnSignals& operator=(const EndsOnSignals&) = delete;
  ~EndsOnSignals() {
    for (std::size_t i = 0; i < kEnding.size(); ++i) sigaction(kEnding[i], &before_[i], nullptr);
  }

 private:
  std::array<struct sigaction, kEnding.size()> before_{};
};

const char* word_for(Grade grade) {
  switch (grade) {
    case Grade::ok: return "ok";
    case Grade::skipped: return "skipped";
    case Grade::warning: return "warning";
    case Grade::broken: return "broken";
  }
  return "?";
}

std::string default_folder() {
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.aima/data" : "";
}

// Keys in a file that others may read are keys no more.
void check_config_file(const fs::path& file, Finding& finding) {
  struct stat facts {};
  if (file.empty() || ::stat(file.c_str(), &facts) != 0) return;
  if ((facts.st_mode & 022) != 0) {
    finding.grade = Grade::warning;
    finding.details.push_back(fmt::format("{} (mode {:04o}) can be written by other users",
                                          file.string(), facts.st_mode & 07777U));
  }
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if ((facts.st_mode & 044) != 0 && text.find("api_keys") != std::string::npos) {
    finding.grade = Grade::warning;
    finding.details.push_back(fmt::format("{} (mode {:04o}) holds API keys and can be read by other "
                                          "users", file.string(), facts.st_mode & 07777U));
  }
  if (!finding.details.empty()) finding.advice = "chmod 600 " + file.string();
}

Finding read_config(const StartOptions& options, Subject& subject) {
  Finding finding{"config"};
  const auto config = load_config(options);
  if (!config) {
    finding.grade = Grade::broken;
    finding.found = config.error().message;
    finding.advice = "the daemon does not start with it; the other checks go by the defaults";
    subject.data_dir = options.data_dir.value_or(default_folder());
    return finding;
  }
  subject.config = *config;
  subject.data_dir = config->data_dir;
  finding.found = config->file.empty() ? "defaults, no settings file" : config->file.string();
  const auto settings = runtime_options(*config);
  const auto engines = EngineSet::load();
  if (!settings || !engines) {
    finding.grade = Grade::broken;
    finding.found = !settings ? settings.error().message : engines.error().message;
    finding.advice = "the daemon does not start with it";
    return finding;
  }
  check_config_file(config->file, finding);
  return finding;
}

std::string address_of(const Config& config) {
  const bool wild = config.host == "0.0.0.0" || config.host == "::";
  const bool v6 = !wild && config.host.find(':') != std::string::npos;
  return fmt::format("http://{}:{}", wild ? "127.0.0.1" : v6 ? "[" + config.host + "]" : config.host,
                     config.port);
}

bool same_folder(const fs::path& one, const fs::path& other) {
  std::error_code error;
  return fs::weakly_canonical(one, error) == fs::weakly_canonical(other, error);
}

// With nothing named, what the running daemon uses is what is meant.
void follow_daemon(const DoctorOptions& options, Subject& subject, Finding& config) {
  if (subject.daemon.state != Running::State::answers) return;
  const fs::path folder = provider::text_of(subject.daemon.info, "data_dir");
  if (!options.data_dir && !options.config_file) {
    StartOptions its;
    its.data_dir = folder.string();
    const std::string file = provider::text_of(subject.daemon.info, "config_file");
    if (!file.empty()) its.config_file = file;
    its.engine_ports = provider::text_of(subject.daemon.info, "engine_ports");
    config = read_config(its, subject);
    subject.data_dir = folder;
  }
  subject.serves_this = same_folder(folder, subject.data_dir);
  if (!subject.serves_this) return;
  const bool native = provider::text_of(subject.daemon.info, "provider") == "native";
  subject.config.provider = native ? "native" : "docker";  // what it chose, whatever the file says
}

// Somebody has the folder, and it is not who answers.
void name_holder(const Lock& lock, const Subject& subject, Finding& daemon) {
  if (lock.state() != Lock::State::held_by_other || daemon.grade == Grade::broken) return;
  daemon.grade = Grade::broken;
  daemon.found += fmt::format("; but {} uses the data folder",
                              lock.said().empty() ? "another process" : lock.said());
  daemon.advice = fmt::format("name its address with --server, if it is a daemon at another one than "
                              "{}; else end it", subject.daemon.server);
}

// Rows that a daemon has not corrected yet are no fault: looked at again until it has.
Finding settled_rows(const DoctorOptions& options, Subject& subject, Engines& engines) {
  Finding rows = check_rows(subject, engines);
  const auto limit = std::chrono::steady_clock::now() + kSettling;
  while (subject.serves_this && !rows.details.empty() && interrupted() == 0 &&
         std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(200ms);  // between two questions
    Running again = ask_daemon(subject.daemon.server, options.api_key);
    if (!again.services) break;
    subject.services = std::move(again.services);
    engines = look_for_engines(subject);
    rows = check_rows(subject, engines);
  }
  return rows;
}

std::string summary_of(const std::vector<Finding>& findings) {
  const auto count = [&](Grade grade) {
    return std::count_if(findings.begin(), findings.end(),
                         [grade](const Finding& finding) { return finding.grade == grade; });
  };
  const auto broken = count(Grade::broken);
  const auto warnings = count(Grade::warning);
  const auto skipped = count(Grade::skipped);
  const std::string left_out = skipped > 0 ? fmt::format(", {} skipped", skipped) : "";
  if (broken + warnings == 0) return fmt::format("healthy: {} checks{}", findings.size(), left_out);
  return fmt::format("{} broken, {} with a warning, of {} checks{}", broken, warnings, findings.size(),
                     left_out);
}

Json report_of(const std::vector<Finding>& findings, const Subject& subject) {
  Grade worst = Grade::ok;
  Json items = Json::array();
  for (const Finding& finding : findings) {
    if (finding.grade != Grade::skipped) worst = std::max(worst, finding.grade);
    items.push_back(Json{{"check", finding.check},
                         {"result", word_for(finding.grade)},
                         {"found", finding.found},
                         {"advice", finding.advice},
                         {"details", finding.details}});
  }
  const std::size_t total = items.size();
  return Json{{"result", word_for(worst)},
              {"summary", summary_of(findings)},
              {"server", subject.daemon.server},
              {"data_dir", subject.data_dir.string()},
              {"items", std::move(items)},
              {"total", total}};
}

Json interrupted_report(const std::vector<Finding>& findings, const Subject& subject) {
  Json report = report_of(findings, subject);
  report["result"] = "interrupted";
  report["summary"] = fmt::format("interrupted by signal {}: the other checks were not made",
                                  interrupted());
  report["signal"] = interrupted();
  return report;
}

Json examine(const DoctorOptions& options) {
  Subject subject;
  StartOptions start;
  start.data_dir = options.data_dir;
  start.config_file = options.config_file;
  Finding config = read_config(start, subject);
  if (options.server || subject.config.port != 0) {
    subject.daemon = ask_daemon(options.server.value_or(address_of(subject.config)), options.api_key);
  } else {
    subject.daemon.server = address_of(subject.config);  // any port: which one, only its log says
  }
  follow_daemon(options, subject, config);
  Finding daemon = check_daemon(subject);
  std::vector<Finding> findings;
  std::optional<Lock> lock;
  if (!subject.serves_this) {
    lock.emplace(subject.data_dir);
    name_holder(*lock, subject, daemon);
  }
  const bool live = subject.serves_this || lock->state() == Lock::State::held_by_other;
  findings.push_back(std::move(config));
  findings.push_back(std::move(daemon));
  findings.push_back(check_folder(subject));
  const Deadline deadline =
      std::chrono::steady_clock::now() + options.timeout.value_or(std::chrono::milliseconds(kTimeForStore));
  StoreLook look = look_at_store(subject.data_dir, live, deadline);
  findings.insert(findings.end(), look.findings.begin(), look.findings.end());
  subject.services = subject.serves_this ? subject.daemon.services : look.services;
  if (findings[3].grade == Grade::ok && !subject.services) subject.services.emplace();  // no store yet
  subject.newest = look.newest;
  if (interrupted() != 0) return interrupted_report(findings, subject);
  Engines engines = look_for_engines(subject);
  lock.reset();
  const Finding rows = settled_rows(options, subject, engines);
  findings.push_back(rows);
  findings.push_back(check_provider(subject, engines));
  findings.push_back(check_address(subject));
  findings.push_back(check_engine_ports(subject, engines));
  findings.push_back(check_disk(subject));
  findings.push_back(check_clock(subject));
  return interrupted() != 0 ? interrupted_report(findings, subject) : report_of(findings, subject);
}
}  // namespace

int interrupted() { return ending_signal; }
}  // namespace doctor

Json run_doctor(const DoctorOptions& options) {
  set_log_level("error");  // what is odd stands in the report
  const doctor::EndsOnSignals signals;
  return doctor::examine(options);
}
}  // namespace aima
