// YAML to Node through yaml-cpp's events. Load() would take the first of two documents, the first of
// two equal keys and any alias bomb without a word; here each is refused with its place.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>

#include "harness/scenario/node.h"
#include "harness/scenario/text_lines.h"

namespace harness {
namespace {

constexpr std::size_t most_depth = 64;

// Ends the parse where going on makes no sense; the diagnostic has been noted.
struct Abandon {};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& file, const TextLines& lines) : file_(file), lines_(lines) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0) return;
    note(place(mark), "a second document begins here; a file holds one",
         "put it into a file of its own");
    throw Abandon{};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { value(empty(mark)); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    note(place(mark), "aliases (*name) are not supported", "write the value out");
    Node alias = empty(mark);
    alias.kind = Node::Kind::scalar;  // said once: no second complaint about a missing value
    alias.text = "alias";
    value(std::move(alias));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& text) override {
    refuse_tag(mark, tag);
    Node node;
    node.span = place(mark);
    node.text = text;
    node.quoted = tag == "!" || is_block(mark);
    if (text.empty() && !node.quoted) {
      value(empty(mark));
      return;
    }
    node.kind = Node::Kind::scalar;
    value(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, Node::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

  // yaml-cpp counts from 0 and in bytes; people count from 1 and in characters.
  Span place(const YAML::Mark& mark) const {
    const int line = std::max(0, mark.line) + 1;
    return {file_, line, column_of(lines_.line(line), static_cast<std::size_t>(std::max(0, mark.column)))};
  }
  void note(Span where, std::string message, std::string hint) {
    problems.push_back({std::move(where), std::move(message), std::move(hint)});
  }

  std::vector<Diagnostic> problems;
  Node root;

 private:
  struct Frame {
    Node node;
    bool has_key = false;
    std::string key;
    Span key_span;
    std::unordered_map<std::string, int> seen;  // key → line, for "first on line N"
  };

  Node empty(const YAML::Mark& mark) const {
    Node node;
    node.span = place(mark);
    // The mark of an absent value is wherever the next token stands: its key is the better place.
    if (!stack_.empty() && stack_.back().has_key && node.span.line != stack_.back().key_span.line) {
      node.span = stack_.back().key_span;
    }
    return node;
  }

  bool is_block(const YAML::Mark& mark) const {
    const std::string_view line = lines_.line(mark.line + 1);
    const auto column = static_cast<std::size_t>(std::max(0, mark.column));
    return column < line.size() && (line[column] == '|' || line[column] == '>');
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    note(place(mark), fmt::format("tags ({}) are not supported", tag),
         "quote a value to keep it text; numbers, true, false and null need no tag");
  }

  void open(const YAML::Mark& mark, const std::string& tag, Node::Kind kind) {
    refuse_tag(mark, tag);
    if (stack_.size() >= most_depth) {
      note(place(mark), fmt::format("nested deeper than {} levels", most_depth), "");
      throw Abandon{};
    }
    if (!stack_.empty() && stack_.back().node.is_map() && !stack_.back().has_key) {
      note(place(mark), "a key must be plain text, not a list or a map",
           "text that begins with { or [ must be quoted");
      throw Abandon{};
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.span = place(mark);
    stack_.push_back(std::move(frame));
  }

  void close() {
    Node done = std::move(stack_.back().node);
    stack_.pop_back();
    value(std::move(done));
  }

  void value(Node node) {
    if (stack_.empty()) {
      root = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.is_list()) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    if (!frame.has_key) {
      if (!node.is_scalar()) note(node.span, "a key must be plain text", "");
      frame.has_key = true;
      frame.key = node.text;
      frame.key_span = node.span;
      return;
    }
    frame.has_key = false;
    const auto [first, fresh] = frame.seen.try_emplace(frame.key, frame.key_span.line);
    if (!fresh) {
      note(frame.key_span, fmt::format("`{}` is repeated; it already stands in line {}", frame.key,
                                       first->second),
           "remove one of the two: only one could count");
      return;
    }
    frame.node.entries.push_back({frame.key, frame.key_span, std::move(node)});
  }

  const std::string& file_;
  const TextLines& lines_;
  int documents_ = 0;
  std::vector<Frame> stack_;
};

std::string hint_for(const std::string& message) {
  if (message.find("illegal map value") != std::string::npos ||
      message.find("end of map") != std::string::npos ||
      message.find("end of sequence") != std::string::npos ||
      message.find("unknown token") != std::string::npos ||
      message.find("unexpected character") != std::string::npos) {
    return "check the indentation; quote text that holds \": \" or \" #\", that begins with one of "
           "[ ] { } & * ! | > % @ `, or that stands inside { } or [ ] and holds one of them";
  }
  return "";
}

Diagnostic too_large(const std::string& text, const std::string& file) {
  return {Span{file, 1, 1},
          fmt::format("the file has {} bytes; {} are the most", text.size(), most_yaml_bytes),
          "is this the right file?"};
}

Diagnostic bad_byte(std::string_view text, const std::string& file, std::size_t offset) {
  const std::size_t begin = offset == 0 ? 0 : text.rfind('\n', offset - 1) + 1;
  const int line = 1 + static_cast<int>(std::count(text.begin(), text.begin() + offset, '\n'));
  const auto byte = static_cast<unsigned char>(text[offset]);
  return {Span{file, line, column_of(text.substr(begin), offset - begin)},
          byte < 0x80 ? fmt::format("control character 0x{:02x}", byte)
                      : fmt::format("byte 0x{:02x} is not UTF-8", byte),
          "save the file as UTF-8 text"};
}
}  // namespace

YamlReading read_yaml(const std::string& text, const std::string& file) {
  YamlReading reading;
  reading.root.span = Span{file, 1, 1};
  if (text.size() > most_yaml_bytes) {
    reading.problems.push_back(too_large(text, file));
    return reading;
  }
  std::string_view body = text;
  if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);  // a byte order mark is no column
  if (auto bad = first_bad_byte(body)) {
    reading.problems.push_back(bad_byte(body, file, *bad));
    return reading;
  }
  const TextLines lines(body);
  TreeBuilder builder(file, lines);
  try {
    std::istringstream stream{std::string(body)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    reading.whole = true;
  } catch (const Abandon&) {
  } catch (const YAML::ParserException& error) {
    const YAML::Mark mark = error.mark.is_null() ? YAML::Mark() : error.mark;
    const Span place = builder.place(mark);
    const std::string_view line = lines.line(place.line);
    const bool tab = line.substr(0, line.find_first_not_of(" \t")).find('\t') != line.npos;
    builder.note(place, "not YAML: " + error.msg,
                 tab ? "the line begins with a tab; YAML is indented with spaces only" : hint_for(error.msg));
  } catch (const YAML::Exception& error) {
    builder.note(Span{file, 1, 1}, std::string("not YAML: ") + error.what(), "");
  }
  reading.problems = std::move(builder.problems);
  if (builder.root.span.line > 0) reading.root = std::move(builder.root);
  return reading;
}

tl::expected<Node, std::vector<Diagnostic>> parse_yaml(const std::string& text,
                                                       const std::string& file) {
  YamlReading reading = read_yaml(text, file);
  if (!reading.problems.empty()) return tl::unexpected(std::move(reading.problems));
  return std::move(reading.root);
}
}  // namespace harness
