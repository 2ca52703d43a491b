"""What one C++ file defines at the level of namespaces, from its tokens."""
import functools
import re

from cpp_definitions.heads import (WORD, function_name, parameter_types, past_round, type_name,
                                   without_template)

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
NO_DECLARATION = ("using", "static_assert", "friend", "typedef", "concept", "goto")


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
