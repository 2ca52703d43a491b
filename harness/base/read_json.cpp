#include "harness/base/read_json.h"

#include <fmt/format.h>

#include <unordered_map>
#include <vector>

namespace harness {
namespace {

constexpr std::size_t few_keys = 16;  // looked through one by one

// Builds the tree from the parser's events. Its container that grows is always the innermost, so
// pointers to the outer ones stay.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(const JsonBounds& bounds, JsonReading& reading) : bounds_(bounds), reading_(reading) {}

  bool null() override { return put(Json(nullptr)) != nullptr; }
  bool boolean(bool value) override { return put(Json(value)) != nullptr; }
  bool number_integer(number_integer_t value) override { return put(Json(value)) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return put(Json(value)) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override {
    return put(Json(value)) != nullptr;
  }
  bool string(string_t& value) override { return put(Json(std::move(value))) != nullptr; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    open_.back().key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    reading_.why = fmt::format("no JSON from character {} on", position);
    return false;
  }

 private:
  struct Open {
    Json* container;
    std::string key;
    std::unordered_map<std::string, std::size_t> places;  // of the keys, once they are many
  };

  bool too_much(std::string why) {
    reading_.kind = JsonReading::Kind::too_much;
    reading_.why = std::move(why);
    return false;
  }

  Json* put(Json value) {
    if (++reading_.values > bounds_.values) {
      too_much(fmt::format("more than {} values", bounds_.values));
      return nullptr;
    }
    if (open_.empty()) return &(reading_.value = std::move(value));
    Open& in = open_.back();
    if (in.container->is_array()) {
      in.container->push_back(std::move(value));
      return &in.container->back();
    }
    return put_member(in, std::move(value));
  }

  static Json* put_member(Open& in, Json value) {
    auto& members = in.container->get_ref<Json::object_t&>();
    if (members.size() <= few_keys) {
      for (auto& [name, held] : members) {
        if (name == in.key) return &(held = std::move(value));
      }
    } else {
      if (in.places.empty()) {
        std::size_t at = 0;
        for (const auto& member : members) in.places.emplace(member.first, at++);
      }
      const auto [place, fresh] = in.places.try_emplace(in.key, members.size());
      if (!fresh) {
        const auto offset = static_cast<std::ptrdiff_t>(place->second);
        return &((members.begin() + offset)->second = std::move(value));
      }
    }
    members.push_back({std::move(in.key), std::move(value)});
    return &members.back().second;
  }

  bool open(Json container) {
    if (open_.size() >= bounds_.depth) {
      return too_much(fmt::format("nested deeper than {} levels", bounds_.depth));
    }
    Json* placed = put(std::move(container));
    if (placed == nullptr) return false;
    open_.push_back({placed, {}, {}});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const JsonBounds& bounds_;
  JsonReading& reading_;
  std::vector<Open> open_;
};
}  // namespace

JsonReading read_json(std::string_view text, const JsonBounds& bounds) {
  JsonReading reading;
  Builder builder(bounds, reading);
  if (Json::sax_parse(text, &builder)) {
    reading.kind = JsonReading::Kind::json;
  } else {
    reading.value = Json();
  }
  return reading;
}

void append_member(Json& object, std::string key, Json value) {
  object.get_ref<Json::object_t&>().push_back({std::move(key), std::move(value)});
}
}  // namespace harness
