"""The head of a C++ declaration, read without knowing its types: whose name it declares."""
import re

CLASS_KEYS = ("class", "struct", "union", "enum")
BEFORE_TYPES = ("typedef", "static", "const", "constexpr", "inline", "extern", "constinit")
WORD = re.compile(r"[A-Za-z_]\w*$")


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
