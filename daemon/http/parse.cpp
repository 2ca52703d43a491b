// Where BOOST_ASSERT ends (BOOST_ENABLE_ASSERT_HANDLER, for all of the daemon).
#include "daemon/http/parse.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "daemon/log/log.h"

namespace aima {
namespace {
thread_local int steps = 0;
std::atomic<std::size_t> failed = 0;
}  // namespace

std::size_t failed_parser_assertions() { return failed; }

ParserStep::ParserStep() { ++steps; }
ParserStep::~ParserStep() { --steps; }

}  // namespace aima

namespace boost {

// Anywhere but in a parser's step it means that this process cannot be trusted: it ends, as by assert.
void assertion_failed(const char* expression, const char* function, const char* file, long line) {
  const std::string what = std::string(file) + ":" + std::to_string(line) + ": " + function + ": `" +
                           expression + "` does not hold";
  if (aima::steps == 0) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
  }
  ++aima::failed;
  aima::log_error("http", "the HTTP parser could not bear what it was sent, the message is refused: " +
                              what);
  throw aima::ParserAssertion();
}

void assertion_failed_msg(const char* expression, const char* message, const char* function,
                          const char* file, long line) {
  assertion_failed((std::string(expression) + " (" + message + ")").c_str(), function, file, line);
}

}  // namespace boost
