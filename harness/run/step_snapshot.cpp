// `snapshot` and `compare`: what each domain held, and which two are compared. The judge compares.
#include <fmt/format.h>

#include "harness/base/read_json.h"
#include "harness/clients/http.h"
#include "harness/run/rows.h"
#include "harness/run/snapshots.h"

namespace harness {
namespace {

constexpr Milliseconds list_time(10000);

std::string key_text(const Json& item, const std::string& key) {
  const auto found = item.find(key);
  if (found == item.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

Result<std::vector<Json>> list_domain(StepContext& context, const DomainProfile& domain) {
  const std::size_t blank = domain.list.find(' ');
  HttpRequest request;
  request.method = domain.list.substr(0, blank);
  const std::string path = blank == std::string::npos ? "" : domain.list.substr(blank + 1);
  auto url = substitute(path.starts_with('/') ? context.session.target.base_url + path : path,
                        context.session.variables);
  if (!url) return tl::unexpected(url.error());
  request.url = *url;
  const HttpReply reply = perform(request, context.limit.within(list_time));
  if (reply.error == "stopped") return fail(ErrorKind::stopped, "stopped while listing");
  if (!reply.error.empty()) {  // no word of the daemon's: whether it lives is for others to say
    return fail(ErrorKind::timeout,
                fmt::format("{}: {} ({})", domain.list, reply.error, reply.error_text));
  }
  if (reply.status >= 400) {
    return fail(ErrorKind::subject, fmt::format("{}: HTTP {} {}", domain.list, reply.status,
                                                reply.body.substr(0, 200)));
  }
  if (reply.body_cut) {
    return fail(ErrorKind::invalid, fmt::format("{}: the list was cut at {} bytes", domain.list,
                                                request.most_bytes));
  }
  const JsonReading document = read_json(reply.body);
  if (document.kind == JsonReading::Kind::too_much) {
    return fail(ErrorKind::invalid, fmt::format("{}: the list is JSON {}", domain.list, document.why));
  }
  if (!document.is_json()) {
    return fail(ErrorKind::subject, fmt::format("{}: the reply is no JSON: {}", domain.list,
                                                reply.body.substr(0, 200)));
  }
  std::lock_guard lock(context.live.evaluation);
  return context.session.expressions->outputs(domain.items, document.value, Json::object());
}

bool made_by_this_run(StepContext& context, const DomainProfile& domain, const Json& item) {
  if (!domain.created_by.empty()) {
    std::lock_guard lock(context.live.evaluation);
    const Expression predicate{domain.created_by, context.session.target.span};
    return context.session.expressions->expect(predicate, item, Json::object()).truth == Truth::pass;
  }
  const auto before = context.live.baseline.find(domain.name);
  return before == context.live.baseline.end() ||
         !before->second.contains(key_text(item, domain.key));
}

Json describe_domain(StepContext& context, const DomainProfile& domain) {
  auto items = list_domain(context, domain);
  if (!items) {
    Json unlisted = {{"error", to_string(items.error())}};
    if (items.error().kind == ErrorKind::subject) unlisted["kind"] = "subject";
    return unlisted;
  }
  Json created = Json::array();
  Json all = Json::array();
  for (auto& item : *items) {
    if (made_by_this_run(context, domain, item)) created.push_back(key_text(item, domain.key));
    all.push_back(std::move(item));
  }
  return {{"items", std::move(all)},
          {"key", domain.key},
          {"volatile", domain.volatile_fields},
          {"created", std::move(created)}};
}

bool takes_snapshots(const std::vector<Step>& steps) {
  for (const auto& step : steps) {
    if (step.kind == "snapshot" || takes_snapshots(step.children)) return true;
  }
  return false;
}

}  // namespace

Json list_domains(StepContext& context) {
  Json domains = Json::object();
  for (const auto& domain : context.session.target.domains) {
    domains[domain.name] = describe_domain(context, domain);
  }
  return domains;
}

Result<void> take_baseline(StepContext& context) {
  Live& live = context.live;
  if (live.has_baseline || context.session.target.domains.empty() ||
      !takes_snapshots(live.scenario->steps)) {
    return {};
  }
  live.has_baseline = true;
  for (const auto& domain : context.session.target.domains) {
    auto items = list_domain(context, domain);
    if (!items) continue;  // the snapshot itself will say so where it matters
    for (const auto& item : *items) live.baseline[domain.name].insert(key_text(item, domain.key));
  }
  return {};
}

StepShape snapshot_shape() {
  return {"snapshot",
          "report",
          "Lists every domain of the target under a name, for `compare`.",
          "name",
          {{"name", ValueKind::text, true, "before, after, …"}},
          true,
          false,
          "- snapshot: before",
          "nothing"};
}

Result<Observation> execute_snapshot(StepContext& context) {
  auto name = context.arguments.text("name");
  if (!name) return tl::unexpected(name.error());
  if (context.session.target.domains.empty()) {
    return fail(ErrorKind::invalid, fmt::format("`snapshot`: target {} names no domains",
                                                context.session.target.name));
  }
  Json domains = list_domains(context);
  if (context.limit.stopped()) return fail(ErrorKind::stopped, "stopped while listing");
  context.session.recorder->record(
      "snapshot", {{"name", *name}, {"step", context.step.path}, {"domains", domains}});
  context.live.snapshots.insert(*name);
  Observation seen;
  seen.summary = *name + ":";
  std::string errors;
  for (const auto& [domain, listed] : domains.items()) {
    if (listed.contains("error")) {
      errors += (errors.empty() ? "" : "; ") + domain + ": " + listed["error"].get<std::string>();
    } else {
      seen.summary += fmt::format(" {} {}", domain, listed["items"].size());
      seen.document[domain] = {{"items", listed["items"].size()},
                               {"created", listed["created"].size()}};
    }
  }
  if (seen.document.empty() && !errors.empty()) return fail(ErrorKind::subject, errors);
  if (!errors.empty()) seen.summary += "; not listed: " + errors;
  seen.evidence.push_back(context.session.recorder->evidence(
      "snapshot-" + *name + ".json", domains.dump(1, ' ', false, Json::error_handler_t::replace)));
  return seen;
}

StepShape compare_shape() {
  return {"compare",
          "report",
          "Compares two snapshots: what this run created survived, or is lost.",
          "",
          {{"before", ValueKind::text, true, "name of the earlier snapshot"},
           {"after", ValueKind::text, true, "name of the later one"}},
          false,
          false,
          "- compare: {before: before, after: after}\n"
          "  expect: {models: survived, catalog: lost}\n"
          "  criterion: {models: 1, catalog: 6}"};
}

Result<Observation> execute_compare(StepContext& context) {
  auto before = context.arguments.text("before");
  auto after = context.arguments.text("after");
  if (!before) return tl::unexpected(before.error());
  if (!after) return tl::unexpected(after.error());
  for (const auto& name : {*before, *after}) {
    if (!context.live.snapshots.contains(name)) {
      return fail(ErrorKind::invalid, fmt::format("`compare`: no snapshot `{}` was taken", name));
    }
  }
  context.session.recorder->record(
      "comparison", {{"step", context.step.path}, {"before", *before}, {"after", *after}});
  return Observation{};
}
}  // namespace harness
