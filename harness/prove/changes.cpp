// Small changes of a JSON document, from the outside in. No key goes: `.total >= 0` would have teeth
// only against a reply that no daemon gives.
#include <fmt/format.h>

#include <deque>

#include "harness/prove/forging.h"

namespace harness {
namespace {

using Pointer = Json::json_pointer;

struct Spot {
  Pointer pointer;
  std::string shown;  // as jq would name it
};

class Changes {
 public:
  Changes(const Json& document, std::string root, std::size_t most)
      : document_(document), root_(std::move(root)), most_(most) {}

  std::vector<Change> all() {
    std::deque<Spot> waiting{{Pointer(), root_}};
    while (!waiting.empty() && found_.size() < most_) {
      const Spot place = std::move(waiting.front());
      waiting.pop_front();
      const Json& value = document_.at(place.pointer);
      change(place, value);
      const std::string dot = place.shown == "." ? "" : place.shown;
      if (value.is_object()) {
        for (const auto& [key, inner] : value.items()) {
          waiting.push_back({place.pointer / key, fmt::format("{}.{}", dot, key)});
        }
      } else if (value.is_array()) {
        for (std::size_t index = 0; index < value.size(); ++index) {
          waiting.push_back({place.pointer / index, fmt::format("{}[{}]", place.shown, index)});
        }
      }
    }
    return std::move(found_);
  }

 private:
  void put(const Spot& place, Json value, const std::string& what) {
    if (found_.size() >= most_) return;
    Json copy = document_;
    copy[place.pointer] = std::move(value);
    found_.push_back({fmt::format("{}: {}", place.shown, what), std::move(copy)});
  }
  void become(const Spot& place, const Json& from, Json to) {
    const std::string what = fmt::format("{} became {}", compact(from, 60), compact(to, 60));
    put(place, std::move(to), what);
  }

  void change_number(const Spot& place, const Json& value) {
    if (value.is_number_float()) {
      const double number = value.get<double>();
      become(place, value, number * 2 + 1);
      if (number != 0) become(place, value, number / 2);
      become(place, value, number * 1000 + 100000);
    } else {
      const auto number = value.get<std::int64_t>();
      become(place, value, number + 1);
      // A count that was never negative does not become it.
      if (number != 0) become(place, value, number - 1);
      if (number > 1) become(place, value, 0);
      if (number < (std::int64_t{1} << 40)) become(place, value, number * 1000 + 100000);
    }
    if (value != 0) become(place, value, 0);
  }

  void change_list(const Spot& place, const Json& value) {
    if (value.empty()) {
      put(place, Json::array({"forged"}), "an element came");
      return;
    }
    Json less = value;
    less.erase(less.size() - 1);
    put(place, less, fmt::format("its last element {} was dropped", compact(value.back(), 60)));
    if (value.size() > 1) {
      less = value;
      less.erase(0);
      put(place, less, fmt::format("its first element {} was dropped", compact(value.front(), 60)));
    }
    Json more = value;
    more.push_back(value.back());
    put(place, more, fmt::format("its last element {} came twice", compact(value.back(), 60)));
    if (value.size() > 1) put(place, Json::array(), "all its elements were dropped");
  }

  void change(const Spot& place, const Json& value) {
    if (value.is_boolean()) {
      become(place, value, !value.get<bool>());
    } else if (value.is_number()) {
      change_number(place, value);
    } else if (value.is_string()) {
      become(place, value, value.get<std::string>() + "-forged");
      if (value != "") become(place, value, "");
    } else if (value.is_null()) {
      become(place, value, "forged");
    } else if (value.is_array()) {
      change_list(place, value);
    }
  }

  const Json& document_;
  std::string root_;
  std::size_t most_;
  std::vector<Change> found_;
};

}  // namespace

std::vector<Change> changes_of(const Json& document, const std::string& root, std::size_t most) {
  return Changes(document, root, most).all();
}
}  // namespace harness
