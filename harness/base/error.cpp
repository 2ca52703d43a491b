// Errors as text, and how they gain context on the way out.
#include "harness/base/error.h"

#include <fmt/format.h>

namespace harness {

std::string to_string(const Span& span) {
  return fmt::format("{}:{}:{}", span.file, span.line, span.column);
}

std::string to_string(const Error& error) {
  std::string text;
  if (error.where) text += to_string(*error.where) + ": ";
  for (const auto& phase : error.phases) text += phase + ": ";
  return text + error.message;
}

tl::unexpected<Error> within(std::string phase, Error error) {
  error.phases.insert(error.phases.begin(), std::move(phase));
  return tl::unexpected(std::move(error));
}
}  // namespace harness
