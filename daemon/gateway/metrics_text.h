// The Prometheus text format, version 0.0.4:
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace aima {

class MetricsText {
 public:
  static constexpr std::string_view media_type = "text/plain; version=0.0.4; charset=utf-8";

  // Begins a family; its samples follow at once. `type`: counter, gauge, histogram.
  void family(std::string_view name, std::string_view type, std::string_view help);
  // A sample of the family begun last. `suffix`: "_bucket", "_sum", "_count" of a histogram.
  // `labels` as label() makes them, joined by commas.
  void sample(std::uint64_t value, std::string_view labels = {}, std::string_view suffix = {});
  void sample(double value, std::string_view labels = {}, std::string_view suffix = {});
  // A family of one sample.
  void single(std::string_view name, std::string_view type, std::string_view help,
              std::uint64_t value);

  static std::string label(std::string_view name, std::string_view value);  // name="value"
  std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view labels, std::string_view suffix);
  std::string text_;
  std::string name_;
};

}  // namespace aima
