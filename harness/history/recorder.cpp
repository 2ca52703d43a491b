// Writes the history and the evidence of one run.
#include "harness/history/recorder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "harness/base/unique_fd.h"
#include "harness/history/chain.h"
#include "harness/history/digest.h"

namespace harness {
namespace {

// Writes all of it; the errno of the first failure, 0 for none.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return 0;
}

// A file name out of anything: no folder, nothing a shell or a browser would trip over.
std::string file_name(std::string_view name) {
  std::string out(name.empty() || name.front() == '.' ? 1 : 0, '_');
  for (const char c : name.substr(0, 120)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    out += plain ? c : '_';
  }
  return out;
}

// Head and tail, and between them how much is missing.
std::string bounded(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  const std::size_t head = most / 2;
  const std::size_t tail = most - head;
  return fmt::format("{}\n[… {} bytes cut here; {} in all …]\n{}", text.substr(0, head),
                     text.size() - most, text.size(), text.substr(text.size() - tail));
}

}  // namespace

struct Recorder::State {
  std::filesystem::path folder;
  Redactor redactor;
  UniqueFd history;
  Instant begin = Clock::now();
  mutable std::mutex mutex;
  std::int64_t count = 0;
  std::int64_t last_us = 0;
  std::string head{chain_start};
  std::size_t bytes = 0;               // of the history
  std::size_t evidence_bytes = 0;
  bool evidence_full = false;
  std::string trouble;
  bool broken = false;  // a line may be torn: nothing can follow it

  void note(std::string what) {
    if (trouble.empty()) trouble = std::move(what);
  }

  bool has_room_for(std::size_t more) {
    bool first = false;
    {
      std::lock_guard lock(mutex);
      if (evidence_bytes + more <= Recorder::most_evidence) {
        evidence_bytes += more;
        return true;
      }
      first = !std::exchange(evidence_full, true);
    }
    if (!first) return false;
    write_event("fact",
                {{"name", "evidence"},
                 {"value", {{"bytes", Recorder::most_evidence}}},
                 {"text", fmt::format("{} MiB are kept; what came later is not",
                                      Recorder::most_evidence >> 20)}},
                false);
    return false;
  }

  // `clean`: without secrets.
  void write_event(std::string_view kind, const Json& clean, bool durably) {
    std::lock_guard lock(mutex);
    if (broken) return;
    Json line = Json::object();
    line["n"] = ++count;
    const auto passed = std::chrono::duration_cast<Microseconds>(Clock::now() - begin);
    last_us = std::max<std::int64_t>(last_us, passed.count());
    line["t_us"] = last_us;
    line["event"] = kind;
    const bool full = bytes >= Recorder::most_documents && kind == "observation";
    for (const auto& [key, value] : clean.items()) {
      if (key == "hash" || line.contains(key)) continue;
      const bool large = full && (key == "document" || key == "bindings");
      line[key] = large ? Json{{"cut", true}} : value;
    }
    std::string text =
        chained_line(line.dump(-1, ' ', false, Json::error_handler_t::replace), head);
    text += '\n';
    bytes += text.size();
    if (const int error = write_all(history.get(), text); error != 0) {
      broken = true;
      note(fmt::format("cannot write {}: {}", (folder / "history.jsonl").string(),
                       std::strerror(error)));
    } else if (durably && ::fdatasync(history.get()) != 0) {
      note(fmt::format("cannot make {} durable: {}", (folder / "history.jsonl").string(),
                       std::strerror(errno)));
    }
  }
};

Recorder::Recorder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Recorder::~Recorder() = default;

Result<std::unique_ptr<Recorder>> Recorder::create(const std::filesystem::path& folder,
                                                   Redactor redactor) {
  auto state = std::make_unique<State>();
  state->folder = folder;
  state->redactor = std::move(redactor);
  std::error_code error;
  std::filesystem::create_directory(folder / "evidence", error);
  if (error) {
    return fail(ErrorKind::environment,
                fmt::format("cannot make {}: {}", (folder / "evidence").string(), error.message()));
  }
  const auto path = folder / "history.jsonl";
  state->history.reset(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644));
  if (!state->history) {
    return fail(ErrorKind::environment,
                fmt::format("cannot make the history {}: {}", path.string(), std::strerror(errno)));
  }
  return std::unique_ptr<Recorder>(new Recorder(std::move(state)));
}

void Recorder::record(std::string_view kind, Json fields) {
  state_->write_event(kind, state_->redactor.json(fields), false);
}

void Recorder::record_durably(std::string_view kind, Json fields) {
  state_->write_event(kind, state_->redactor.json(fields), true);
}

// Not through the redactor: digits of a hash are no secret, though they may look like one.
void Recorder::vouch(const std::string& path, std::string_view bytes) {
  state_->write_event("file",
                      {{"path", path}, {"bytes", bytes.size()}, {"sha256", sha256(bytes)}}, false);
}

std::string Recorder::evidence(std::string_view name, std::string_view bytes, std::size_t most) {
  const std::string text = bounded(state_->redactor.text(bytes), most);
  if (!state_->has_room_for(text.size())) return {};
  const std::string wanted = file_name(name);
  const std::size_t dot = wanted.find_last_of('.');
  const std::string stem = wanted.substr(0, dot);
  const std::string ending = dot == std::string::npos ? "" : wanted.substr(dot);
  for (int number = 1; number < 100000; ++number) {
    const std::string relative =
        number == 1 ? "evidence/" + wanted : fmt::format("evidence/{}-{}{}", stem, number, ending);
    UniqueFd file(
        ::open((state_->folder / relative).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file && errno == EEXIST) continue;
    const int error = file ? write_all(file.get(), text) : errno;
    if (error == 0) {
      vouch(relative, text);
      return relative;
    }
    std::lock_guard lock(state_->mutex);
    state_->note(fmt::format("cannot write {}: {}", (state_->folder / relative).string(),
                             std::strerror(error)));
    return {};
  }
  return {};
}

std::filesystem::path Recorder::folder() const { return state_->folder; }

std::int64_t Recorder::now_us() const { return at_us(Clock::now()); }

std::int64_t Recorder::at_us(Instant instant) const {
  return std::chrono::duration_cast<Microseconds>(instant - state_->begin).count();
}

Redactor& Recorder::redactor() { return state_->redactor; }

std::string Recorder::trouble() const {
  std::lock_guard lock(state_->mutex);
  return state_->trouble;
}

}  // namespace harness
