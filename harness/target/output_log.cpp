// Raw bytes are kept, not lines: counting newlines keeps up with any flood, splitting does not.
#include "harness/target/output_log.h"

#include <fcntl.h>
#include <string.h>

#include <algorithm>

namespace harness {
namespace {

constexpr std::size_t matched_length = Pattern::looked_at;

std::size_t count_lines(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

void write_all(int fd, std::string_view bytes) {
  while (fd >= 0 && !bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written <= 0) return;  // the copy in memory remains
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string quoted(const std::string& line) {
  return line.empty() ? "nothing was written yet" : "the last line was: " + line;
}
}  // namespace

std::string required_literal(const std::string& pattern) {
  // Alternatives, groups and classes may make any part optional: only plain patterns are looked at.
  if (pattern.find_first_of("|()[]{}") != std::string::npos) return "";
  std::string best, run;
  for (std::size_t at = 0; at <= pattern.size(); ++at) {
    const char letter = at < pattern.size() ? pattern[at] : '\0';
    const bool plain = at < pattern.size() && std::string_view("^$.*+?\\").find(letter) ==
                                                  std::string_view::npos;
    if (plain) {
      run += letter;
      continue;
    }
    if ((letter == '*' || letter == '?') && !run.empty()) run.pop_back();  // the last may be absent
    if (run.size() > best.size()) best = run;
    run.clear();
    if (letter == '\\') ++at;  // an escaped letter may stand for a class
  }
  return best;
}

OutputLog::OutputLog(const std::string& log_file) {
  if (log_file.empty()) return;
  file_.reset(::open(log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
}

void OutputLog::append(std::string_view chunk) {
  const std::lock_guard lock(mutex_);
  if (finished_ || chunk.empty()) return;
  match(chunk);
  keep(chunk);
}

void OutputLog::keep(std::string_view chunk) {
  lines_ += count_lines(chunk);
  const std::size_t room = head_bytes - std::min(head_.size(), head_bytes);
  const auto first = chunk.substr(0, room);
  if (tail_.empty() && !first.empty()) {
    head_ += first;
    write_all(file_.get(), first);
    chunk.remove_prefix(first.size());
  }
  tail_ += chunk;
  if (tail_.size() <= 2 * tail_bytes) return;
  const std::size_t cut = tail_.size() - tail_bytes;
  left_out_ += cut;
  tail_.erase(0, cut);
}

// Without a waiter only the unfinished last line is remembered.
void OutputLog::match(std::string_view chunk) {
  if (waiters_.empty()) {
    const auto newline = chunk.rfind('\n');
    if (newline != std::string_view::npos) {
      partial_.clear();
      chunk.remove_prefix(newline + 1);
    }
  }
  bool found = false;
  std::size_t number = lines_;
  while (!chunk.empty()) {
    const auto newline = chunk.find('\n');
    const auto piece = chunk.substr(0, newline);
    partial_ += piece.substr(0, matched_length - std::min(matched_length, partial_.size()));
    if (newline == std::string_view::npos) break;
    for (Waiter* waiter : waiters_) {
      offer(*waiter, number, partial_);
      found = found || waiter->over();
    }
    partial_.clear();
    ++number;
    chunk.remove_prefix(newline + 1);
  }
  if (found) changed_.notify_all();
}

void OutputLog::offer(Waiter& waiter, std::size_t number, std::string_view line) const {
  if (waiter.over() || number < waiter.from) return;
  line = line.substr(0, matched_length);
  if (::memmem(line.data(), line.size(), waiter.literal.data(), waiter.literal.size()) == nullptr)
    return;
  const auto matches = waiter.pattern->found_in(line);
  if (!matches) waiter.trouble = matches.error();
  if (!matches || !*matches) return;
  if (--waiter.missing <= 0) waiter.found = std::string(line);
}

std::size_t OutputLog::first_line_of_tail() const { return lines_ - count_lines(tail_); }

void OutputLog::offer_kept(Waiter& waiter) const {
  // Without a gap the tail continues the head, also in the middle of a line.
  const std::string whole = left_out_ == 0 ? head_ + tail_ : head_;
  const auto offer_all = [&](std::string_view text, std::size_t number) {
    for (std::size_t newline; (newline = text.find('\n')) != std::string_view::npos; ++number) {
      offer(waiter, number, text.substr(0, newline));
      text.remove_prefix(newline + 1);
    }
    // What is left of an ended child's output is a line too, though it has no end.
    if (finished_ && !text.empty()) offer(waiter, number, text);
  };
  offer_all(whole, 0);
  if (left_out_ > 0) offer_all(tail_, first_line_of_tail());
}

void OutputLog::finish(const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  finished_ = true;
  why_finished_ = why;
  for (Waiter* waiter : waiters_)
    if (!partial_.empty()) offer(*waiter, lines_, partial_);
  if (left_out_ > 0)
    write_all(file_.get(), "\n[… " + std::to_string(left_out_) + " bytes left out …]\n");
  write_all(file_.get(), tail_);
  file_.reset();
  changed_.notify_all();
}

std::vector<std::string> OutputLog::last_lines(std::size_t count) const {
  const std::lock_guard lock(mutex_);
  const std::string text = left_out_ == 0 ? head_ + tail_ : tail_;
  std::vector<std::string> lines;
  std::size_t end = text.size();
  if (end > 0 && text[end - 1] == '\n') --end;
  while (lines.size() < count && end != std::string::npos && !text.empty()) {
    const auto newline = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
    const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
    lines.push_back(text.substr(begin, std::min(end - begin, matched_length)));
    end = newline;
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

std::string OutputLog::text() const {
  const std::lock_guard lock(mutex_);
  if (left_out_ == 0) return head_ + tail_;
  return head_ + "\n[… " + std::to_string(left_out_) + " bytes left out …]\n" + tail_;
}

std::size_t OutputLog::lines_seen() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

std::size_t OutputLog::bytes_seen() const {
  const std::lock_guard lock(mutex_);
  return head_.size() + left_out_ + tail_.size();
}

std::size_t OutputLog::left_out() const {
  const std::lock_guard lock(mutex_);
  return left_out_;
}

Result<std::string> OutputLog::wait_line(const std::string& pattern, std::size_t from, int nth,
                                         const Limit& limit) const {
  const auto compiled = Pattern::compile(pattern);
  if (!compiled) return tl::unexpected(compiled.error());
  Waiter waiter{&*compiled, required_literal(pattern), from, std::max(nth, 1), std::nullopt};
  std::unique_lock lock(mutex_);
  offer_kept(waiter);
  const std::size_t unseen = from < first_line_of_tail() ? left_out_ : 0;
  if (!waiter.over()) {
    const auto place = waiters_.insert(waiters_.end(), &waiter);
    changed_.wait_until(lock, limit.stop, limit.deadline,
                        [&] { return waiter.over() || finished_; });
    waiters_.erase(place);
  }
  if (waiter.found) return *waiter.found;
  if (waiter.trouble) return tl::unexpected(*waiter.trouble);
  const std::string wanted = "no line of the log matched /" + pattern + "/";
  lock.unlock();
  const auto last = last_lines(1);
  const std::string seen = quoted(last.empty() ? "" : last.front());
  if (limit.stopped()) return fail(ErrorKind::stopped, wanted + " before the run was stopped");
  if (unseen > 0) {
    return fail(ErrorKind::invalid,
                wanted + " that was looked at: " + std::to_string(unseen) +
                    " bytes in the middle of the log were no longer kept when this wait began");
  }
  lock.lock();
  if (finished_) return fail(ErrorKind::subject, wanted + ": " + why_finished_ + "; " + seen);
  return fail(ErrorKind::timeout, wanted + " in time; " + seen);
}
}  // namespace harness
