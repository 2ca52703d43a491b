// See resolver.h.
#include "daemon/http/resolver.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace aima::http {
namespace {

using std::chrono::milliseconds;

struct Answer {
  int code = 0;  // getaddrinfo's
  int error = 0;  // errno, for EAI_SYSTEM
  Addresses addresses;
};

Answer ask(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  Answer answer;
  answer.code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  answer.error = errno;
  if (answer.code == 0) answer.addresses = Addresses(found, freeaddrinfo);
  return answer;
}

// One question under way. Its thread may outlive everybody who waits.
struct Question {
  Wake answered;  // rung once, and never cleared: any number may wait for it
  std::mutex mutex;
  bool is_answered = false;
  Answer answer;
};
using QuestionPtr = std::shared_ptr<Question>;

// Never destroyed: a thread may still be at work when the program ends.
struct UnderWay {
  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, QuestionPtr> questions;
};
UnderWay& under_way() {
  static auto& all = *new UnderWay;
  return all;
}

QuestionPtr ask_aside(const std::string& host, const std::string& port) {
  UnderWay& all = under_way();
  const std::lock_guard lock(all.mutex);
  const auto key = std::pair(host, port);
  if (const auto found = all.questions.find(key); found != all.questions.end()) {
    return found->second;
  }
  auto question = std::make_shared<Question>();
  std::thread([key, question] {
    Answer answer = ask(key.first, key.second, 0);
    {
      const std::lock_guard lock_all(under_way().mutex);
      under_way().questions.erase(key);
    }
    {
      const std::lock_guard lock_one(question->mutex);
      question->answer = std::move(answer);
      question->is_answered = true;
    }
    question->answered.ring();
  }).detach();
  all.questions.emplace(key, question);
  return question;
}

Result<Addresses> addresses_of(const std::string& host, const Answer& answer) {
  if (answer.code == 0) return answer.addresses;
  const std::string why =
      answer.code == EAI_SYSTEM ? std::strerror(answer.error) : gai_strerror(answer.code);
  return fail(503, "unreachable", fmt::format("the address of \"{}\" cannot be found: {}", host, why));
}

}  // namespace

Result<Addresses> resolve(const std::string& host, const std::string& port, Deadline deadline,
                          const Wake& wake) {
  const Answer digits = ask(host, port, AI_NUMERICHOST);
  if (digits.code != EAI_NONAME) return addresses_of(host, digits);
  QuestionPtr question;
  try {
    question = ask_aside(host, port);
  } catch (const std::system_error& error) {
    return fail(503, "unreachable",
                fmt::format("the address of \"{}\" cannot be asked for: no thread: {}", host,
                            error.what()));
  }
  for (;;) {
    int timeout = -1;
    if (deadline != Deadline::max()) {
      const auto left =
          std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
      timeout = static_cast<int>(std::clamp<long>(left, 0, 1 << 30));
    }
    pollfd polled[2] = {{wake.fd(), POLLIN, 0}, {question->answered.fd(), POLLIN, 0}};
    const int count = poll(polled, 2, timeout);
    if (count < 0 && errno != EINTR) {
      return fail(503, "unreachable", std::string("cannot wait: ") + std::strerror(errno));
    }
    if (count < 0) continue;
    if (polled[0].revents != 0) {
      return fail(503, "cancelled", fmt::format("waiting for the address of {} was cut off", host));
    }
    if (polled[1].revents != 0) {
      const std::lock_guard lock(question->mutex);
      return addresses_of(host, question->answer);
    }
    if (timeout >= 0 && std::chrono::steady_clock::now() >= deadline) {
      return fail(504, "timeout",
                  fmt::format("the address of \"{}\" was not found in time: no name server "
                              "answers (/etc/resolv.conf); an address in digits needs none",
                              host));
    }
  }
}

}  // namespace aima::http
