#include "harness/report/text.h"

#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace harness {
namespace {

struct Decoded {
  std::uint32_t point = 0xFFFD;
  std::size_t bytes = 1;
  bool good = false;
};

// One UTF-8 sequence; overlong forms, surrogates and values above U+10FFFF are bad.
Decoded decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t length = lead >= 0xF0 && lead < 0xF5   ? 4
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                                                           : 0;
  if (length == 0 || at + length > text.size()) return {};
  std::uint32_t point = lead & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    point = (point << 6) | (byte(i) & 0x3Fu);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  if (overlong || (point >= 0xD800 && point < 0xE000) || point > 0x10FFFF) return {};
  return {point, length, true};
}

// The end of an ANSI escape sequence that begins at `at`.
std::size_t after_escape(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  if (end < text.size() && text[end] == '[') {
    ++end;
    while (end < text.size() && (text[end] < '@' || text[end] > '~')) ++end;
    if (end < text.size()) ++end;
  }
  return end;
}

// The wide blocks that appear in practice: CJK, Hangul, full-width forms, emoji.
std::size_t columns_of(std::uint32_t point) {
  if ((point >= 0x0300 && point <= 0x036F) || point == 0x200B || point == 0x200D ||
      (point >= 0xFE00 && point <= 0xFE0F)) {
    return 0;
  }
  const bool wide = (point >= 0x1100 && point <= 0x115F) || (point >= 0x2E80 && point <= 0xA4CF) ||
                    (point >= 0xAC00 && point <= 0xD7A3) || (point >= 0xF900 && point <= 0xFAFF) ||
                    (point >= 0xFF00 && point <= 0xFF60) ||
                    (point >= 0x1F300 && point <= 0x1FAFF) ||
                    (point >= 0x20000 && point <= 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace

std::string clean(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\x1b') {
      at = after_escape(text, at);
      continue;
    }
    const Decoded one = decode(text, at);
    const bool control = (one.point < 0x20 && one.point != '\n' && one.point != '\t') ||
                         (one.point >= 0x7F && one.point < 0xA0);
    if (!one.good || one.point == 0xFFFE || one.point == 0xFFFF) {
      out += "\xEF\xBF\xBD";
    } else if (control) {
      if (one.point != '\r') out += ' ';
    } else {
      out += text.substr(at, one.bytes);
    }
    at += one.bytes;
  }
  return out;
}

std::string on_one_line(std::string_view text) {
  std::string out;
  bool blank = false;
  for (const char c : clean(text)) {
    if (c == ' ' || c == '\n' || c == '\t') {
      blank = !out.empty();
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    out += c;
  }
  return out;
}

std::size_t width_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Decoded one = decode(text, at);
    columns += columns_of(one.point);
    at += one.bytes;
  }
  return columns;
}

std::string cut_to(std::string_view text, std::size_t columns) {
  if (width_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::string out;
  std::size_t used = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Decoded one = decode(text, at);
    if (used + columns_of(one.point) > columns - 1) break;
    used += columns_of(one.point);
    out += text.substr(at, one.bytes);
    at += one.bytes;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out + "…";
}

std::string padded(std::string_view text, std::size_t columns) {
  const std::size_t width = width_of(text);
  return std::string(text) + std::string(width < columns ? columns - width : 0, ' ');
}

std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  std::string line;
  const std::size_t most = columns < 10 ? 10 : columns;
  const auto flush = [&] {
    if (!line.empty()) lines.push_back(std::move(line));
    line.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t blank = std::min(text.find(' ', at), text.size());
    std::string_view word = text.substr(at, blank - at);
    at = blank + 1;
    if (!line.empty() && width_of(line) + 1 + width_of(word) > most) flush();
    while (width_of(word) > most) {  // a word longer than a line: cut between characters
      std::size_t end = 0, used = 0;
      while (end < word.size()) {
        const Decoded one = decode(word, end);
        if (used + columns_of(one.point) > most) break;
        used += columns_of(one.point);
        end += one.bytes;
      }
      lines.emplace_back(word.substr(0, end));
      word.remove_prefix(end);
    }
    if (!line.empty() && !word.empty()) line += ' ';
    line += word;
  }
  flush();
  if (lines.empty()) lines.emplace_back();
  return lines;
}

std::string literal(std::string_view text) {
  std::string out;
  for (const char c : on_one_line(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '|':
      case '*':
      case '_':
      case '`':
      case '[':
      case ']':
      case '\\':
      case '#':
      case '~':
      case '$':
        out += '\\';
        out += c;
        break;
      case '@':  // no mention of a stranger
        out += "@&#8203;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string seconds(double duration) {
  if (duration < 0.0995) return fmt::format("{:.1f} ms", duration * 1000);
  if (duration < 60) return fmt::format("{:.2f} s", duration);
  const auto whole = static_cast<long>(std::lround(duration));
  return fmt::format("{} min {:02d} s", whole / 60, whole % 60);
}

std::string answer_text(const Finding& finding) {
  std::string out = name_of(finding.answer);
  std::string notes;
  if (finding.gap && finding.answer == Answer::pass) notes = "gap confirmed";
  if (finding.gap && finding.answer == Answer::fail) notes = "the gap is not there";
  if (!finding.note.empty()) notes += (notes.empty() ? "" : "; ") + on_one_line(finding.note);
  return notes.empty() ? out : fmt::format("{} ({})", out, notes);
}

std::string place_text(const Span& where) {
  if (where.file.empty() || where.line <= 0) return {};
  return fmt::format("{}:{}", on_one_line(where.file), where.line);
}

std::string headline_of(const Verdict& verdict) {
  const std::string provider = verdict.provider.empty() ? "unknown" : on_one_line(verdict.provider);
  const std::string detail = on_one_line(verdict.provider_detail);
  return detail.empty() ? provider : fmt::format("{} ({})", provider, detail);
}

Tally tally_of(const std::vector<Verdict>& verdicts) {
  Tally tally;
  for (const auto& verdict : verdicts) {
    for (const auto& finding : verdict.findings) {
      tally.pass += finding.answer == Answer::pass ? 1 : 0;
      tally.fail += finding.answer == Answer::fail ? 1 : 0;
      tally.inconclusive += finding.answer == Answer::inconclusive ? 1 : 0;
      tally.error += finding.answer == Answer::error ? 1 : 0;
    }
  }
  return tally;
}

std::string tally_text(const Tally& tally) {
  std::string out =
      fmt::format("{} pass, {} fail, {} inconclusive", tally.pass, tally.fail, tally.inconclusive);
  if (tally.error > 0) out += fmt::format(", {} error", tally.error);
  return out;
}

Answer answer_of(const std::vector<Verdict>& verdicts) {
  Answer answer = verdicts.empty() ? Answer::inconclusive : Answer::pass;
  for (const auto& verdict : verdicts) answer = worst(answer, verdict.answer);
  return answer;
}

}  // namespace harness
