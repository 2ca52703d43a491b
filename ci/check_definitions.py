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
import re
import sys
from collections import defaultdict
from pathlib import Path

from cpp_definitions.file import definitions
from cpp_definitions.planted import PLANTED

SOURCES = (".cpp", ".h", ".hpp", ".cc")  # C has no names that the linker could merge


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
