// See body_file.h. JSON is tried first where the text begins like it: its errors are better.
#include "daemon/cli/body_file.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

namespace aima::cli {
namespace {
constexpr std::size_t kMostBytes = 10U << 20U;
constexpr int kMostDepth = 64;  // also ends a walk through an alias that contains itself

tl::unexpected<Error> refuse(const std::string& path, const std::string& why) {
  return fail(0, "usage", "--file " + path + ": " + why);
}

Json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str") return text;  // quoted
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char* end = text.data() + text.size();
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  std::int64_t whole = 0;
  if (auto [p, e] = std::from_chars(begin, end, whole); e == std::errc() && p == end) return whole;
  const bool numeric = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  double real = 0;
  if (auto [p, e] = std::from_chars(begin, end, real); numeric && e == std::errc() && p == end) {
    return real;
  }
  return text;
}

Result<Json> convert(const YAML::Node& node, const std::string& path, int depth,
                     std::size_t& budget) {
  if (depth > kMostDepth) return refuse(path, "nested deeper than 64 levels");
  if (budget-- == 0) return refuse(path, "too many values");  // aliases of aliases
  if (node.IsNull() || !node.IsDefined()) return Json(nullptr);
  if (node.IsScalar()) return scalar(node);
  Json out = node.IsSequence() ? Json::array() : Json::object();
  for (const auto& item : node) {
    auto value = convert(node.IsSequence() ? YAML::Node(item) : item.second, path, depth + 1,
                         budget);
    if (!value) return value;
    if (node.IsSequence()) {
      out.push_back(std::move(*value));
      continue;
    }
    if (!item.first.IsScalar()) return refuse(path, "a key that is not a word");
    const std::string key = item.first.Scalar();
    if (out.contains(key)) {
      return refuse(path, "line " + std::to_string(item.first.Mark().line + 1) + ": key \"" + key +
                              "\" stands there twice");
    }
    out[key] = std::move(*value);
  }
  return out;
}
}  // namespace

Result<Json> parse_body(const std::string& text, const std::string& path) {
  Json body;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '{') {
    try {
      body = Json::parse(text);
    } catch (const Json::parse_error& error) {
      // Flow-style YAML begins the same way; if it is not that either, the JSON error is shown.
      try {
        std::size_t budget = 100'000;
        auto converted = convert(YAML::Load(text), path, 0, budget);
        if (!converted) return converted;
        body = std::move(*converted);
      } catch (const YAML::Exception&) {
        return refuse(path, std::string("not JSON: ") + error.what());
      }
    }
  } else {
    try {
      std::size_t budget = 100'000;
      auto converted = convert(YAML::Load(text), path, 0, budget);
      if (!converted) return converted;
      body = std::move(*converted);
    } catch (const YAML::Exception& error) {
      return refuse(path, "line " + std::to_string(error.mark.line + 1) + ", column " +
                              std::to_string(error.mark.column + 1) + ": " + error.msg);
    }
  }
  if (!body.is_object()) {
    return refuse(path, std::string("holds ") + body.type_name() +
                            " where an object with the fields is wanted");
  }
  return body;
}

Result<Json> read_body(const std::string& path) {
  std::string text;
  if (path == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) return refuse(path, std::strerror(errno));
    text.resize(kMostBytes + 1);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad()) return refuse(path, "cannot be read (is it a folder?)");
  }
  if (text.size() > kMostBytes) return refuse(path, "larger than 10 MiB, which the daemon refuses");
  return parse_body(text, path);
}
}  // namespace aima::cli
