// hide-item, alter-item, revive-item: what a snapshot that is compared is told of a domain.
#include <fmt/format.h>

#include <algorithm>

#include "harness/prove/changes_of_reply.h"
#include "harness/prove/lie.h"
#include "harness/prove/rows.h"
#include "harness/scenario/expression.h"

namespace harness {
namespace {

const Passage* snapshot_named(const Course& course, const std::string& name,
                              const Passage& before) {
  const Passage* found = nullptr;
  for (const auto& passage : course.passages()) {
    if (&passage >= &before) break;
    const Node* given = passage.step->arguments.find("name");
    if (passage.step->kind == "snapshot" && given && given->text == name) found = &passage;
  }
  return found;
}

// The later snapshot of each comparison, for each domain that a criterion judges.
std::vector<Place> compared(const ProofSubject& subject, const std::string& expected) {
  const Course course(subject);
  std::vector<Place> places;
  for (const auto& passage : course.passages()) {
    const Step& step = *passage.step;
    const Node* after = step.kind == "compare" ? step.arguments.find("after") : nullptr;
    const Passage* snapshot = after ? snapshot_named(course, after->text, passage) : nullptr;
    if (!snapshot) continue;
    for (const auto& [domain, outcome] : step.expect_of) {
      if (outcome == expected) places.push_back({domain, snapshot->step->path});
    }
  }
  return places;
}

std::vector<Place> survivors(const ProofSubject& subject) { return compared(subject, "survived"); }
std::vector<Place> losses(const ProofSubject& subject) { return compared(subject, "lost"); }

const DomainProfile* find_domain(const TargetProfile& target, const std::string& name) {
  for (const auto& domain : target.domains) {
    if (domain.name == name) return &domain;
  }
  return nullptr;
}

// The newest snapshot of this run so far that lists the domain: {items[], key, created[], …}.
Result<Json> earlier_snapshot(Live& live, const std::string& domain) {
  auto history = read_history((live.recorder->folder() / "history.jsonl").string());
  if (!history) return tl::unexpected(history.error());
  for (auto event = history->events.rbegin(); event != history->events.rend(); ++event) {
    if (event->kind != "snapshot") continue;
    const Json listed = event->fields["domains"].value(domain, Json::object());
    if (listed.contains("items") && !listed["created"].empty()) return listed;
  }
  return fail(ErrorKind::environment,
              fmt::format("no snapshot before holds an object of {} that this run made", domain));
}

struct Listing {
  std::string path;                // of the request, without its query
  std::string key;                 // field that names an object
  std::vector<std::string> fixed;  // fields that a comparison does not look at, and the key
  std::string newest;              // key's value of the newest object of this run
  Json item;                       // that object
};

Result<Listing> listing_of(Live& live, const std::string& name) {
  const DomainProfile* domain = find_domain(live.session.target, name);
  if (!domain) return fail(ErrorKind::environment, fmt::format("the target lists no {}", name));
  auto snapshot = earlier_snapshot(live, name);
  if (!snapshot) return tl::unexpected(snapshot.error());
  Listing listing;
  listing.path = domain->list.substr(domain->list.find(' ') + 1);
  listing.path = listing.path.substr(0, listing.path.find('?'));
  listing.key = domain->key;
  listing.fixed = domain->volatile_fields;
  listing.fixed.push_back(domain->key);
  const Json& newest = (*snapshot)["created"].back();
  listing.newest = newest.is_string() ? newest.get<std::string>() : newest.dump();
  for (const auto& item : (*snapshot)["items"]) {
    if (key_of_item(item, listing.key) == listing.newest) listing.item = item;
  }
  return listing;
}

// `change` is given the reply's document, and says what it changed in it.
using ChangeDocument = std::string (*)(const Listing& listing, Json& document);

std::unique_ptr<Strike> lie_in_list(const Place& place, ChangeDocument change) {
  return lie_during(
      place, [domain = place.detail, change](Live& live, const Step&) -> Result<Falsify> {
        auto listing = listing_of(live, domain);
        if (!listing) return tl::unexpected(listing.error());
        return [listing = *listing, change](const WireRequest& request,
                                            WireReply& reply) -> std::string {
          if (request.target.substr(0, request.target.find('?')) != listing.path) return "";
          Json document = Json::parse(reply.body, nullptr, false);
          if (document.is_discarded()) return "";
          std::string what = change(listing, document);
          if (!what.empty())
            reply.body = document.dump(-1, ' ', false, Json::error_handler_t::replace);
          return what;
        };
      });
}

std::string hide(const Listing& listing, Json& document) {
  const FoundItem found = find_item(document, listing.key, listing.newest);
  if (!found.list) return "";
  found.list->erase(found.index);
  return fmt::format("{} {} left out", listing.key, listing.newest);
}

std::string alter(const Listing& listing, Json& document) {
  const FoundItem found = find_item(document, listing.key, listing.newest);
  if (!found.list) return "";
  for (auto& [name, value] : (*found.list)[found.index].items()) {
    const bool fixed =
        std::find(listing.fixed.begin(), listing.fixed.end(), name) != listing.fixed.end();
    if (fixed || value.is_structured()) continue;
    const Json before = value;
    value = another(before);
    return fmt::format("{} of {} is {} in place of {}", name, listing.newest, value.dump(),
                       before.dump());
  }
  return "";
}

std::string revive(const Listing& listing, Json& document) {
  if (find_item(document, listing.key, listing.newest).list || listing.item.is_null()) return "";
  Json* list = first_list(document);
  if (!list) return "";
  list->push_back(listing.item);
  return fmt::format("{} {} listed, which is lost", listing.key, listing.newest);
}

std::unique_ptr<Strike> hide_in(const ProofSubject&, const Place& place) {
  return lie_in_list(place, hide);
}
std::unique_ptr<Strike> alter_in(const ProofSubject&, const Place& place) {
  return lie_in_list(place, alter);
}
std::unique_ptr<Strike> revive_in(const ProofSubject&, const Place& place) {
  return lie_in_list(place, revive);
}

}  // namespace

const WorldSabotage hide_item = {"hide-item", "a list leaves out an object that survived",
                                 survivors, hide_in};
const WorldSabotage alter_item = {
    "alter-item", "a list shows an object that survived with another value", survivors, alter_in};
const WorldSabotage revive_item = {"revive-item", "a list shows an object that is lost", losses,
                                   revive_in};
}  // namespace harness
