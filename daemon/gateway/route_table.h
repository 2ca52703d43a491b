// Path → rows. Fixed paths are one look into a hash map; paths with a "{name}" are tried after
// them, so the fixed one wins where both fit. Built once, then read only.
#pragma once
#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/gateway/route.h"

namespace aima {

class RouteTable {
 public:
  // Everything at one path: its row by method, and the Allow header that follows.
  struct Place {
    std::string path;
    std::array<const Route*, 3> rows{};  // get, post, delete
    std::string allow;                   // "GET, HEAD, OPTIONS"
    // Null where the method is not allowed. HEAD is GET.
    const Route* row(std::string_view method) const;
  };
  struct Found {
    const Place* place = nullptr;  // null: there is nothing at this path
    std::string_view value;        // what stands for "{name}", a part of the path asked for
  };

  RouteTable() = default;
  RouteTable(RouteTable&&) = default;  // a copy's places would point to the rows of the other
  // A second row for one method of one path aborts: it is a programming error.
  void add(Route route);
  Found find(std::string_view path) const;
  const std::deque<Route>& rows() const { return rows_; }
  // Every path, a "{name}" filled from `asked` where the rest has as many segments: what a near
  // miss of `asked` is looked for in.
  std::vector<std::string> paths_near(std::string_view asked) const;

 private:
  struct Pattern {
    std::string before;  // "/api/v2/services/"
    std::string after;   // "/start"
    Place place;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  Place& place_at(const std::string& path);

  std::deque<Route> rows_;  // addresses stay
  std::unordered_map<std::string, Place, Hash, std::equal_to<>> fixed_;
  std::deque<Pattern> patterns_;
};

}  // namespace aima
