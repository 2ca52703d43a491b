// What every failure of the harness carries. Never told apart by text: by `kind`.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace harness {

// A place in a file a person wrote. Lines and columns count from 1; columns count characters.
struct Span {
  std::string file;
  int line = 0;
  int column = 0;
};
std::string to_string(const Span& span);  // "file:line:column"

enum class ErrorKind {
  usage,        // the command line
  invalid,      // a scenario, target or stored run that cannot be read
  subject,      // the daemon under test did what it must not: judged, never an error of ours
  environment,  // this machine lacks or refuses something
  timeout,      // our own deadline, where the subject is not to blame
  stopped,      // a stop was requested
  internal,
};

struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string message;               // what was asked, what was found, what to do next
  std::optional<Span> where;
  std::vector<std::string> phases;   // outermost first: "starting the daemon", "waiting for ready"
};
std::string to_string(const Error& error);

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message,
                                  std::optional<Span> where = std::nullopt) {
  return tl::unexpected(Error{kind, std::move(message), std::move(where), {}});
}
// The same error seen from one level further out.
tl::unexpected<Error> within(std::string phase, Error error);
}  // namespace harness
