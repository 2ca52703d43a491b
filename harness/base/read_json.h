// JSON that somebody else wrote: bounded in depth and in number of values, so that what follows
// (which copies and prints by recursion) is bounded too, and in time linear in the text whatever its
// keys (nlohmann's ordered object looks for each new key among all before it).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "harness/base/json.h"

namespace harness {

struct JsonBounds {
  std::size_t depth = 300;
  std::size_t values = 250'000;  // libjq takes some 400 bytes for each that is an object
};

struct JsonReading {
  enum class Kind { json, other, too_much };
  Kind kind = Kind::other;
  Json value;       // null unless kind is json
  std::size_t values = 0;
  std::string why;  // what is wrong, in words: "nested deeper than 300 levels"
  bool is_json() const { return kind == Kind::json; }
};

// Of two equal keys the last counts, at the place of the first.
JsonReading read_json(std::string_view text, const JsonBounds& bounds = {});

// What an object holds under a key, where it is an object and what it holds is of that type.
template <typename T>
T held(const Json& object, std::string_view key, T fallback) {
  if (!object.is_object()) return fallback;
  const auto found = object.find(key);
  if (found == object.end()) return fallback;
  if constexpr (std::is_same_v<T, Json>) {
    return *found;
  } else if constexpr (std::is_same_v<T, bool>) {
    return found->is_boolean() ? found->template get<bool>() : fallback;
  } else if constexpr (std::is_integral_v<T>) {
    const bool unsigned_one = found->is_number_unsigned();
    if (!found->is_number_integer()) return fallback;
    const bool fits = unsigned_one ? std::in_range<T>(found->template get<std::uint64_t>())
                                   : std::in_range<T>(found->template get<std::int64_t>());
    return fits ? found->template get<T>() : fallback;
  } else {
    return found->is_string() ? found->template get<std::string>() : fallback;
  }
}
inline std::string held(const Json& object, std::string_view key, const char* fallback) {
  return held<std::string>(object, key, fallback);
}

// Without looking whether the key is there already.
void append_member(Json& object, std::string key, Json value);
}  // namespace harness
