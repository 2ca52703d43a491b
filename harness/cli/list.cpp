// list: what there is to name in scenarios and on the command line.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "harness/base/suggest.h"
#include "harness/cli/selection.h"
#include "harness/probes/probe.h"
#include "harness/prove/sabotage.h"
#include "harness/report/reporter.h"
#include "harness/run/catalog.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

Json row(std::string name, std::string summary) {
  return {{"name", std::move(name)}, {"summary", std::move(summary)}};
}

Json scenarios(const CommandContext& context) {
  Json list = Json::array();
  const SelectedSet set = select_scenarios(context, {});
  for (const auto& [scenario, target] : set.scenarios) {
    Json one = row(scenario.name, scenario.title);
    one["file"] = scenario.file;
    one["target"] = scenario.target;
    one["criteria"] = scenario.criteria.size();
    one["needs"] = scenario.needs;
    list.push_back(std::move(one));
  }
  for (const auto& text : set.unreadable) {
    const std::string first = text.substr(0, text.find('\n'));
    list.push_back({{"name", first.substr(0, first.find(':'))}, {"summary", "cannot be read"}, {"problem", first}});
  }
  return list;
}

Json shape_row(const StepShape& shape) {
  Json one = row(shape.name, shape.summary);
  one["category"] = shape.category;
  one["example"] = shape.example;
  one["keys"] = Json::array();
  for (const auto& key : shape.keys) {
    Json described = {{"name", key.name}, {"required", key.required}, {"help", key.help}};
    if (!key.allowed.empty()) described["allowed"] = key.allowed;
    one["keys"].push_back(std::move(described));
  }
  return one;
}

Json steps() {
  Json list = Json::array();
  const StepCatalog catalog = full_catalog();
  for (const auto& shape : catalog.steps()) list.push_back(shape_row(shape));
  return list;
}

Json faults_json() {
  Json list = Json::array();
  const StepCatalog catalog = full_catalog();
  for (const auto& shape : catalog.faults()) list.push_back(shape_row(shape));
  return list;
}

Json probe_rows() {
  Json list = Json::array();
  for (const auto& probe : probes()) list.push_back(row(probe.shape().name, probe.shape().summary));
  return list;
}

Json sabotage_rows() {
  Json list = Json::array();
  for (const auto& one : world_sabotages()) {
    list.push_back(row(std::string(one.name), std::string(one.summary)));
    list.back()["of"] = "world";
  }
  for (const auto& one : record_sabotages()) {
    list.push_back(row(std::string(one.name), std::string(one.summary) + " (on the record)"));
    list.back()["of"] = "record";
  }
  return list;
}

Json reporter_rows() {
  Json list = Json::array();
  for (const auto& reporter : reporters()) {
    list.push_back(row(std::string(reporter.name), std::string(reporter.summary)));
  }
  return list;
}

Json targets(const CommandContext& context) {
  Json list = Json::array();
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(context.root / "fixtures/targets", error)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    const std::string name = file.stem().string();
    const auto loaded = load_target(name, context.root.string(), {});
    std::string summary = "cannot be read";
    if (loaded) {
      summary.clear();
      for (const auto& word : loaded->command) summary += (summary.empty() ? "" : " ") + word;
    } else if (!loaded.error().empty()) {
      summary += ": " + to_string(loaded.error().front().where) + ": " + loaded.error().front().message;
    }
    list.push_back(row(name, summary));
  }
  return list;
}

void print(std::ostream& out, const std::string& title, const Json& rows) {
  out << title << ":\n";
  std::size_t width = 0;
  for (const auto& one : rows) width = std::max(width, one["name"].get_ref<const std::string&>().size());
  for (const auto& one : rows) {
    out << fmt::format("  {:{}}  {}\n", one["name"].get_ref<const std::string&>(), width,
                       one.contains("problem") ? one["problem"].get_ref<const std::string&>()
                                               : one["summary"].get_ref<const std::string&>());
    if (!one.contains("keys")) continue;
    for (const auto& key : one["keys"]) {
      std::string allowed;
      if (key.contains("allowed")) {
        for (const auto& word : key["allowed"]) {
          allowed += (allowed.empty() ? " (" : " | ") + word.get<std::string>();
        }
        allowed += ")";
      }
      out << fmt::format("  {:{}}    {}{}: {}{}\n", "", width, key["name"].get_ref<const std::string&>(),
                         key["required"].get<bool>() ? " (required)" : "",
                         key["help"].get_ref<const std::string&>(), allowed);
    }
  }
}
}  // namespace

int command_list(const CommandContext& context, const std::string& what, bool json) {
  const std::vector<std::string> kinds{"scenarios", "steps", "faults",    "probes",
                                       "sabotages", "reporters", "targets"};
  if (!what.empty() && std::find(kinds.begin(), kinds.end(), what) == kinds.end()) {
    const auto near = nearest(what, kinds);
    context.err << fmt::format("list {}: there are {}{}\n", what, fmt::join(kinds, ", "),
                               near ? "; did you mean `" + *near + "`?" : "");
    return exit_usage;
  }
  Json all = Json::object();
  for (const auto& kind : kinds) {
    if (!what.empty() && what != kind) continue;
    all[kind] = kind == "scenarios"   ? scenarios(context)
                : kind == "steps"     ? steps()
                : kind == "faults"    ? faults_json()
                : kind == "probes"    ? probe_rows()
                : kind == "sabotages" ? sabotage_rows()
                : kind == "reporters" ? reporter_rows()
                                      : targets(context);
  }
  if (json) {
    context.out << all.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    return exit_pass;
  }
  bool first = true;
  for (const auto& [kind, rows] : all.items()) {
    if (!first) context.out << '\n';
    first = false;
    print(context.out, kind, rows);
  }
  return exit_pass;
}
}  // namespace harness
