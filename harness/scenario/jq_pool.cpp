// The pool of compiled programs, declared in jq_program.h.
#include <algorithm>
#include <mutex>

#include "harness/scenario/jq_program.h"

namespace harness {
namespace {
constexpr std::size_t most_in_pool = 64;

struct Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<JqProgram>> programs;
};
// Never destroyed: libjq's own thread data may be gone by the time static objects end.
Pool& pool() {
  static Pool* only = new Pool;
  return *only;
}
}  // namespace

std::unique_ptr<JqProgram> take_program_with(const std::string& text) {
  std::lock_guard lock(pool().mutex);
  auto& programs = pool().programs;
  for (auto& program : programs) {
    const auto& texts = program->texts();
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) continue;
    auto taken = std::move(program);
    std::erase(programs, nullptr);
    return taken;
  }
  return nullptr;
}

void give_back(std::unique_ptr<JqProgram> program) {
  if (!program) return;
  std::lock_guard lock(pool().mutex);
  auto& programs = pool().programs;
  if (programs.size() >= most_in_pool) programs.erase(programs.begin());
  programs.push_back(std::move(program));
}
}  // namespace harness
