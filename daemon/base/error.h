// What every refusal carries: an HTTP status that means it, a stable code, a message for a person.
#pragma once
#include <string>
#include <tl/expected.hpp>

#include "daemon/base/json.h"

namespace aima {
struct Error {
  int http_status = 500;
  std::string code;     // stable, lower snake: "not_found", "invalid_input", "conflict", …
  std::string message;  // names the field, id or file, and what to do next
  Json details = nullptr;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(int http_status, std::string code, std::string message,
                                  Json details = nullptr) {
  return tl::unexpected(
      Error{http_status, std::move(code), std::move(message), std::move(details)});
}
}  // namespace aima
