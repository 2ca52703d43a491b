#include "daemon/gateway/route_table.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace aima {
namespace {

// The part of `path` that fills the pattern; empty where it does not fit.
std::string_view pattern_value(std::string_view path, std::string_view before,
                               std::string_view after) {
  if (path.size() <= before.size() + after.size()) return {};
  if (!path.starts_with(before) || !path.ends_with(after)) return {};
  const auto value = path.substr(before.size(), path.size() - before.size() - after.size());
  return value.find('/') == std::string_view::npos ? value : std::string_view{};
}

std::string allow_of(const std::array<const Route*, 3>& rows) {
  std::string allow;
  if (rows[0] != nullptr) allow += "GET, HEAD, ";
  if (rows[1] != nullptr) allow += "POST, ";
  if (rows[2] != nullptr) allow += "DELETE, ";
  return allow + "OPTIONS";
}

// The segment of `path` that begins at byte `at`.
std::string_view segment_at(std::string_view path, std::size_t at) {
  return path.substr(at, path.find('/', at) - at);
}

}  // namespace

const Route* RouteTable::Place::row(std::string_view method) const {
  if (method == "GET" || method == "HEAD") return rows[0];
  if (method == "POST") return rows[1];
  if (method == "DELETE") return rows[2];
  return nullptr;
}

RouteTable::Place& RouteTable::place_at(const std::string& path) {
  const auto open = path.find('{');
  if (open == std::string::npos) return fixed_[path];
  for (Pattern& pattern : patterns_) {
    if (pattern.place.path == path) return pattern.place;
  }
  const auto close = path.find('}', open);
  patterns_.push_back({path.substr(0, open), path.substr(close + 1), {}});
  return patterns_.back().place;
}

void RouteTable::add(Route route) {
  route.number = rows_.size();
  const Route& row = rows_.emplace_back(std::move(route));
  Place& place = place_at(row.path);
  place.path = row.path;
  for (std::size_t i = 0; i < place.rows.size(); ++i) {
    if ((row.methods & (1U << i)) == 0) continue;
    if (place.rows[i] != nullptr) {
      std::fprintf(stderr, "aima: two routes for one method of %s\n", row.path.c_str());
      std::abort();
    }
    place.rows[i] = &row;
  }
  place.allow = allow_of(place.rows);
}

RouteTable::Found RouteTable::find(std::string_view path) const {
  if (const auto fixed = fixed_.find(path); fixed != fixed_.end()) return {&fixed->second, {}};
  for (const Pattern& pattern : patterns_) {
    const auto value = pattern_value(path, pattern.before, pattern.after);
    if (!value.empty()) return {&pattern.place, value};
  }
  return {};
}

std::vector<std::string> RouteTable::paths_near(std::string_view asked) const {
  std::vector<std::string> paths;
  for (const auto& [path, place] : fixed_) paths.push_back(path);
  // The map's order is nobody's: equally near paths are to be named the same way every time.
  std::sort(paths.begin(), paths.end());
  for (const Pattern& pattern : patterns_) {
    const auto segment = std::count(pattern.before.begin(), pattern.before.end(), '/');
    std::size_t at = 0;
    for (auto i = segment; i > 0 && at != std::string_view::npos; --i) {
      at = asked.find('/', at);
      if (at != std::string_view::npos) ++at;
    }
    if (at == std::string_view::npos) continue;
    const auto value = segment_at(asked, at);
    if (!value.empty()) paths.push_back(pattern.before + std::string(value) + pattern.after);
  }
  return paths;
}

}  // namespace aima
