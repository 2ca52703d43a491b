#!/usr/bin/env python3
"""One name, one definition in a program: ci/check_definitions.py [--selftest] [--list] [ROOT]

Two files that define a type, an inline variable or a function of the same qualified name outside an
anonymous namespace are merged by the linker without a word (a destructor of the one runs on the
other), or refused by it. Reads daemon/ and harness/ (each one program: whatever is linked together
somewhere in it) and each folder of fixtures/; the tests of a folder (*_test.cpp) are a program with
all the rest, not with the tests of other folders. Same definitions twice count as well: they belong
in one header. Exit 0 all right; 1 with both places of each clash. --list prints what was read;
--selftest plants clashes and look-alikes and fails unless the clashes alone are found.
"""
import functools
import re
import sys
from collections import defaultdict
from pathlib import Path

SOURCES = (".cpp", ".h", ".hpp", ".cc")  # C has no names that the linker could merge
TOKEN = re.compile(r"""
    (?P<skip> \s+ | //(?:[^\n\\]|\\.)* | /\*.*?\*/
            | ^[ \t]*\#(?:[^\n\\]|\\.)*                     # a line of the preprocessor
            | \[\[.*?\]\] )                                 # an attribute
  | (?P<raw> (?:u8|[uUL])?R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)" )
  | (?P<text> (?:u8|[uUL])?"(?:[^"\\\n]|\\.)*" | (?:u8|[uUL])?'(?:[^'\\\n]|\\.)*' )
  | (?P<number> \.?\d(?:'?[\w.])* )
  | (?P<word> [A-Za-z_]\w* )
  | (?P<sign> :: | -> | . )
""", re.X | re.S | re.M)
OTHER_BRANCH = re.compile(r"^[ \t]*#[ \t]*el(?:se|if\w*)\b.*?(?=^[ \t]*#[ \t]*endif\b)",
                          re.S | re.M)
CLOSING = {"(": ")", "[": "]", "{": "}"}
CLASS_KEYS = ("class", "struct", "union", "enum")
BEFORE_TYPES = ("typedef", "static", "const", "constexpr", "inline", "extern", "constinit")
NO_DECLARATION = ("using", "static_assert", "friend", "typedef", "concept", "goto")
WORD = re.compile(r"[A-Za-z_]\w*$")


class Unreadable(Exception):
    pass


def tokens_of(text):
    """[(token, offset)] without blanks, comments, attributes and lines of the preprocessor."""
    if "#el" in text.replace(" ", ""):  # as the compiler: one branch, here the first
        text = OTHER_BRANCH.sub(lambda found: "\n" * found.group().count("\n"), text)
    found = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "skip":
            continue
        found.append(('""' if kind in ("raw", "mark", "text") else match.group(), match.start()))
    return found


def closing(tokens, at):
    """The index of the bracket that closes the one at `at`."""
    opens, closes, depth = tokens[at][0], CLOSING[tokens[at][0]], 0
    for index in range(at, len(tokens)):
        word = tokens[index][0]
        if word == opens:
            depth += 1
        elif word == closes:
            depth -= 1
            if depth == 0:
                return index
    raise Unreadable(tokens[at][1])


def past_angles(words, at):
    """The index behind the `>` that belongs to the `<` at `at`."""
    depth, round_depth = 0, 0
    for index in range(at, len(words)):
        word = words[index]
        round_depth += (word in "([{") - (word in ")]}")
        if round_depth == 0:
            depth += (word == "<") - (word == ">")
            if depth == 0:
                return index + 1
    return len(words)


def past_round(words, at):
    depth = 0
    for index in range(at, len(words)):
        depth += (words[index] == "(") - (words[index] == ")")
        if depth == 0:
            return index + 1
    return len(words)


def split(words):
    """At the commas that are in no bracket."""
    parts, depth, part = [], 0, []
    for word in words:
        depth += (word in ("<", "(", "[", "{")) - (word in (">", ")", "]", "}"))
        if word == "," and depth == 0:
            parts.append(part)
            part = []
        else:
            part.append(word)
    return parts + [part] if part or parts else []


def without_template(words):
    """(what follows the template headers, their text, {parameter: how it is called here})."""
    header, called = [], {}
    while words and words[0] == "template":
        if len(words) < 2 or words[1] != "<":
            return [], [], {}  # an explicit instantiation
        end = past_angles(words, 1)
        for part in split(words[2:end - 1]):
            part = part[:part.index("=")] if "=" in part else part
            if len(part) > 1 and WORD.match(part[-1]):
                called[part[-1]] = f"${len(called)}"
        header += words[:end]
        words = words[end:]
        if words and words[0] == "requires":  # (…) or a chain of names with arguments
            at = 1
            while at < len(words):
                if words[at] == "(":
                    at = past_round(words, at)
                elif words[at] == "<":
                    at = past_angles(words, at)
                elif words[at] == "::" or (at + 1 < len(words) and words[at + 1] in ("::", "<")):
                    at += 1
                elif words[at] in "&|":
                    at += 1
                else:
                    break
            header += words[:at]
            words = words[at:]
    return words, [called.get(word, word) for word in header], called


def type_name(words):
    """The words of the name in the head of a type's definition, or None: it defines no type."""
    at = 0
    while at < len(words) and words[at] in BEFORE_TYPES:
        at += 1
    if at == len(words) or words[at] not in CLASS_KEYS:
        return None
    at += 1
    if at < len(words) and words[at] in ("class", "struct"):
        at += 1
    while at < len(words) and words[at] in ("alignas", "__attribute__"):
        at = past_round(words, at + 1)
    start = at
    while at < len(words):
        if words[at] == "<":
            at = past_angles(words, at)
        elif words[at] == "::" or (WORD.match(words[at]) and
                                   (at == start or words[at - 1] == "::")):
            at += 1
        else:
            break
    rest = words[at:]
    return words[start:at] if not rest or rest[0] in (":", "final") else None


def function_name(words):
    """(words of the name, index of the parameters' bracket) of a function's head, or None."""
    at, start = 0, 0
    while at < len(words):
        word = words[at]
        if word == "operator":
            begin = at
            while begin > 1 and words[begin - 1] == "::":
                begin -= 2
            at += 3 if words[at + 1:at + 3] == ["(", ")"] else 1
            while at < len(words) and words[at] != "(":
                at += 1
            return (words[begin:at], at) if at < len(words) else None
        if word == "=":
            return None
        if word in ("decltype", "alignas", "__attribute__", "explicit", "noexcept"):
            at = past_round(words, at + 1) if words[at + 1:at + 2] == ["("] else at + 1
            continue
        if word == "<":
            at = past_angles(words, at)
            continue
        if word == "(":
            start = at - 1
            while start > 0 and (words[start - 1] == "::" or
                                 (words[start] == "::" and WORD.match(words[start - 1])) or
                                 words[start - 1] == "~"):
                start -= 1
            return (words[start:at], at) if start >= 0 and WORD.match(words[at - 1]) else None
        at += 1
    return None


def parameter_types(words):
    """Of a parameter list, as far as a name can be told from a type without knowing either."""
    types = []
    for part in split(words):
        part = part[:part.index("=")] if "=" in part else part
        part = [word for word in part if word not in CLASS_KEYS]
        if len(part) > 1 and WORD.match(part[-1]) and part[-2] not in ("::", "const", "unsigned",
                                                                       "volatile"):
            part = part[:-1]
        types.append(" ".join(part))
    return ", ".join(types)


class File:
    """What one file defines at the level of namespaces: [(kind, qualified name, line)]."""

    def __init__(self, text):
        self.text = text
        self.tokens = tokens_of(text)
        self.found = []
        self.read()

    def line(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def note(self, kind, scope, words, offset, suffix=""):
        name = " ".join(words)
        name = re.sub(r" ?(::|<|>|,|\(|\)|~) ?", r"\1", name).lstrip(":")
        self.found.append((kind, "::".join(scope + [name]) + suffix, self.line(offset)))

    def read(self):
        tokens, scopes, at, begin = self.tokens, [[]], 0, 0
        while at < len(tokens):
            word, offset = tokens[at]
            if word == "}":
                if len(scopes) == 1:
                    raise Unreadable(offset)
                scopes.pop()
                at += 1
                begin = at
            elif word == ";":
                self.statement(tokens[begin:at], scopes[-1])
                at += 1
                begin = at
            elif word in ("(", "["):
                at = closing(tokens, at) + 1
            elif word == "{":
                head = tokens[begin:at]
                inside = self.opened([each for each, _ in head], scopes[-1])
                if inside is not None:
                    scopes.append(inside)
                    at += 1
                    begin = at
                else:
                    at, begin = self.defined(head, scopes[-1], at, begin)
            else:
                at += 1
        if len(scopes) != 1:
            raise Unreadable(tokens[-1][1])

    @staticmethod
    def opened(words, scope):
        """The scope that a brace opens where its head is a namespace's; None where it is none."""
        if words[:2] == ["extern", '""'] and len(words) == 2:
            return scope + ["extern C"]
        rest = words[1:] if words[:1] == ["inline"] else words
        if rest[:1] != ["namespace"]:
            return None
        names = [word for word in rest[1:] if word not in ("::", "inline")]
        return scope + (names or ["(anonymous)"])

    def defined(self, head, scope, at, begin):
        """What the brace at `at` begins: (where reading goes on, where the next head begins)."""
        tokens = self.tokens
        words, _, _ = without_template([each for each, _ in head])
        end = closing(tokens, at)
        if type_name(words) is not None:
            self.statement(head, scope, body=True)
            while tokens[end][0] != ";":  # a variable of that type may follow
                end += 1
            return end + 1, end + 1
        if function_name(words) is None:
            return end + 1, begin  # an initializer: the statement goes on until its semicolon
        self.statement(head, scope, body=True)
        while end + 1 < len(tokens) and tokens[end + 1][0] in (",", "{", "catch"):
            # `Type::Type() : a{…}, b{…} {…}`: the body is the last of the braces
            at = end + 1
            while tokens[at][0] != "{":
                at += 1
            end = closing(tokens, at)
        return end + 1, end + 1

    def statement(self, head, scope, body=False):
        """A declaration, or the head of a body."""
        if not head or "(anonymous)" in scope or head[0][0] in NO_DECLARATION:
            return
        words, header, called = without_template([each for each, _ in head])
        if not words or words[0] in NO_DECLARATION or "friend" in words:
            return
        offset, suffix = head[len(head) - len(words)][1], ""
        plain = [name for name in scope if name != "extern C"]
        words = [called.get(word, word) for word in words]
        if header:
            suffix = " of " + re.sub(r"\b(class|typename) \$\d+", "typename", " ".join(header))
        name = type_name(words)
        if name is not None:
            if body and name:
                self.note("type", plain, name, offset, "" if "<" not in name else suffix)
            return
        if "static" in words:
            return
        function = function_name(words)
        if function is not None:
            name, at = function
            if body and name != ["main"] and "extern C" not in scope and "extern" not in words:
                types = parameter_types(words[at + 1:past_round(words, at) - 1])
                end = past_round(words, at)
                late = [word for word in words[end:end + 3] if word in ("const", "&")]
                self.note("function", plain, name, offset,
                          f"({types}){' '.join(['', *late])}{suffix}")
            return
        if "inline" in words or (header and "constexpr" in words):
            for mark in ("=", "{", "["):
                words = words[:words.index(mark)] if mark in words else words
            if WORD.match(words[-1]):
                self.note("inline variable", plain, words[-1:], offset, suffix)


@functools.cache
def definitions(text):
    """(what File says, the line at which its brackets do not match or None)."""
    try:
        return File(text).found, None
    except Unreadable as trouble:
        return [], text.count("\n", 0, trouble.args[0]) + 1


def program_of(name):
    """(the program that a file is linked into, the tests that it belongs to or None)."""
    parts = name.split("/")
    program = "/".join(parts[:2]) if parts[0] == "fixtures" else parts[0]
    return program, "/".join(parts[:-1]) if parts[-1].endswith("_test.cpp") else None


def together(one, other):
    """Can two places be in one executable?"""
    return one[0] != other[0] and (one[2] is None or other[2] is None or one[2] == other[2])


def clashes(texts):
    """(findings, number of definitions) of {file name: text}."""
    places, findings, count = defaultdict(list), [], 0
    for name, text in texts.items():
        program, tests = program_of(name)
        read, trouble = definitions(text)
        if trouble:
            findings.append(f"{name}:{trouble}: the brackets do not match here, so "
                            "ci/check_definitions.py cannot read on")
        count += len(read)
        for kind, qualified, line in read:
            # A type and a variable of one name cannot be told apart by a reader either: one table.
            places[program, qualified].append((name, line, tests, kind))
    for (program, qualified), found in sorted(places.items()):
        for index, one in enumerate(found):
            other = next((each for each in found[:index] if together(each, one)), None)
            if other:
                findings.append(
                    f"{one[0]}:{one[1]}: {one[3]} {qualified} is defined in {other[0]}:{other[1]} too, "
                    f"and both are linked into one program ({program}); rename one, put it into an "
                    "anonymous namespace, or into a header for both")
    return findings, count


def texts_of(root):
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8", errors="replace")
            for top in ("daemon", "harness", "fixtures") for path in sorted((root / top).rglob("*"))
            if path.suffix in SOURCES and path.is_file()}


def in_harness(body):
    return f"namespace harness {{\n{body}\n}}  // namespace harness\n"


# What is told (None: nothing may be), one file, another: (name below harness/, text).
PLANTED = [
    ("type harness::Planted", ("run/a.h", in_harness("struct Planted { ~Planted(); };")),
     ("report/b.cpp", in_harness("class Planted final : public Other<int> { int x; };"))),
    ("type harness::Planted", ("run/a.h", "namespace harness { enum class Planted : int { a }; }"),
     ("report/b.h", "namespace harness { union [[nodiscard]] Planted { int a; } planted; }")),
    ("type harness::a::b::Planted", ("run/a.h", "namespace harness::a { namespace b { struct Planted {}; } }"),
     ("report/b.cpp", "namespace harness { struct a::b::Planted {}; }")),
    ("type harness::Outer::Planted", ("run/a.cpp", in_harness("struct Outer::Planted { int x; };")),
     ("run/b.cpp", in_harness("struct Outer::Planted { int y; };"))),
    ("type std::hash<harness::X>", ("run/a.h", "template <> struct std::hash<harness::X> {};"),
     ("report/b.h", "namespace std { template <> struct hash<harness::X> {}; }")),
    ("function harness::planted(const Json &, int)",
     ("run/a.h", in_harness("inline int planted(const Json& a, int b = 3) { return b; }")),
     ("report/b.h", in_harness("inline long planted(const Json&, int) { return 1; }"))),
    ("function harness::planted(const $0 &)",
     ("run/a.cpp", in_harness("template <class T>\nvoid planted(const T& a) {}")),
     ("report/b.cpp", in_harness("template <typename Other> int planted(const Other& b) { return 1; }"))),
    ("function harness::operator<<(Stream &, const X &)",
     ("run/a.h", in_harness("inline Stream& operator<<(Stream& s, const X& x) { return s; }")),
     ("report/b.h", in_harness("inline Stream& operator<<(Stream& t, const X& y) { return t; }"))),
    ("inline variable harness::planted",
     ("run/a.h", in_harness("inline constexpr int planted = 3;")),
     ("report/b.h", in_harness("inline const std::map<int, int> planted{{1, 2}};"))),
    ("type harness::Planted", ("run/one_test.cpp", in_harness("struct Planted {};")),
     ("run/two_test.cpp", in_harness("struct Planted {};"))),
    ("type harness::Planted", ("run/one_test.cpp", in_harness("struct Planted {};")),
     ("base/b.cpp", in_harness("struct Planted {};"))),
    ("type harness::Planted",  # behind everything that could lead a reader astray
     ("run/a.cpp", in_harness(r"""
Outer::Outer(int a) : a_{a}, b_([] { return 1; }()), c_{} { if (a) { b_ = '{'; } }
const char* text() { return "}" R"x( }} " )x" "\"}"; }  // } and /* {
inline constexpr auto less = [](int a, int b) { return a < b; };
std::function<void(int)> made(std::vector<int> x = {1, 2}) { return {}; }
auto number = 1'000'000; /* } */ static_assert(sizeof(int) == 4, "}");
#define BRACE {
struct Planted {};""")),
     ("report/b.cpp", in_harness("struct Planted {};"))),
    ("do not match", ("run/a.cpp", "namespace harness { struct X {};"), ("run/b.cpp", "")),
    (None, ("run/a.h", in_harness("struct Planted;\nclass Planted;\nenum class P : int;")),  # declarations
     ("run/b.h", in_harness("struct Planted {};\nenum class P : int { a };"))),
    (None, ("run/a.h", in_harness("struct One { struct Progress { int a; }; enum { x }; };")),
     ("run/b.h", in_harness("struct Two { struct Progress { int b; }; enum { x }; };"))),
    (None, ("run/a.cpp", in_harness("namespace {\nstruct Planted {};\nint planted() { return 1; }\n}")),
     ("run/b.cpp", in_harness("struct Planted {};\nint planted() { return 2; }"))),
    (None, ("run/a.cpp", "namespace harness::one { struct Planted {}; }"),  # other namespaces
     ("run/b.cpp", "namespace harness::two { struct Planted {}; } struct Planted {};")),
    (None, ("run/a.cpp", in_harness("void a() { struct Planted { int a; }; }")),  # local types
     ("run/b.cpp", in_harness("void b() { struct Planted { int b; }; }"))),
    (None, ("run/a.h", in_harness("// struct Planted {};\nconst char* a = \"struct Planted {};\";")),
     ("run/b.h", in_harness("struct Planted {};"))),
    (None, ("run/a.cpp", in_harness("int planted(int a) { return a; }\nstruct stat planted() { return {}; }")),
     ("run/b.cpp", in_harness("int planted(long a) { return 1; }\nstatic int planted(int a) { return a; }"))),
    (None, ("run/a.h", "template <> struct std::hash<harness::X> {};"),
     ("run/b.h", "template <> struct std::hash<harness::Y> {};\nclass T a() { return 1; }")),
    (None, ("run/one_test.cpp", in_harness("struct Planted {};")),  # tests of two folders
     ("report/two_test.cpp", in_harness("struct Planted {};"))),
    (None, ("run/a.cpp", in_harness("constexpr int planted = 1;\nusing Planted = int;")),
     ("run/b.cpp", in_harness("constexpr int planted = 2;\nusing Planted = long;"))),
]


def selftest(root):
    missed, texts = [], texts_of(root)
    for number, (expected, *files) in enumerate(PLANTED, 1):
        planted = {f"harness/{name}": text for name, text in files}
        # Once alone, once in the midst of the sources, where the same must come of it.
        for beside in ({}, texts):
            found = [finding for finding in clashes({**beside, **planted})[0]
                     if any(name in finding for name in planted)]
            right = len(found) == 1 and expected in found[0] if expected else not found
            if right and expected and "do not" not in expected:
                right = all(re.search(rf"\b{re.escape(name)}:\d+", found[0]) for name in planted)
            if not right:
                missed.append(f"planted case {number}: expected {expected or 'nothing'}, found "
                              f"{'; '.join(found) or 'nothing'}")
    print("\n".join(missed) if missed else
          f"each of {len(PLANTED)} planted cases was judged as it must be")
    return 1 if missed else 0


def main(arguments):
    wishes = {word for word in arguments if word in ("--selftest", "--list")}
    rest = [word for word in arguments if word not in wishes]
    if any(word.startswith("-") for word in rest) or len(rest) > 1:
        print(__doc__, file=sys.stderr)
        return 64
    root = Path(rest[0] if rest else Path(__file__).parent.parent).resolve()
    if "--selftest" in wishes:
        return selftest(root)
    texts = texts_of(root)
    if "--list" in wishes:
        for name, text in texts.items():
            for kind, qualified, line in definitions(text)[0]:
                print(f"{name}:{line}: {kind} {qualified}")
        return 0
    findings, count = clashes(texts)
    for finding in findings:
        print(finding)
    if count == 0:
        print(f"{root}: no sources found; that is no pass")
        return 1
    if not findings:
        print(f"{len(texts)} files, {count} definitions outside anonymous namespaces: none twice")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
