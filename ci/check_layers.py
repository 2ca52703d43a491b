#!/usr/bin/env python3
"""Holds the directions of includes and of linked parts: ci/check_layers.py [--selftest] [ROOT]

Reads every #include "…" and every `part(… USES …)` of daemon/, harness/ and fixtures/ and compares
them with MAY_USE below, the only table. Exit 0 all right; 1 with file:line for each violation.
--selftest plants one violation of each kind in a copy of the tree and fails unless each is found.
"""
import re
import shutil
import sys
import tempfile
from pathlib import Path

# Who may use whom, beside itself. Folders point only to what is listed above them.
_harness_left = ["harness/base", "harness/scenario", "harness/history", "harness/clients"]
_harness_look = _harness_left + ["harness/target"]
_harness_plan = _harness_look + ["harness/probes", "harness/faults"]
_harness_run = _harness_plan + ["harness/plan", "harness/verdict"]
_harness_many = _harness_run + ["harness/run"]
MAY_USE = {
    "daemon/base": [],
    "daemon/assets": [],
    "daemon/log": ["daemon/base"],
    "daemon/config": ["daemon/base"],
    "daemon/http": ["daemon/base", "daemon/log"],
    "daemon/domain": ["daemon/base", "daemon/assets"],
    "daemon/store": ["daemon/base", "daemon/log", "daemon/config", "daemon/domain"],
    "daemon/provider": ["daemon/base", "daemon/assets", "daemon/log", "daemon/config",
                        "daemon/http", "daemon/domain", "daemon/store"],
    "daemon/units": ["daemon/base", "daemon/assets", "daemon/log", "daemon/config", "daemon/http",
                     "daemon/domain", "daemon/store", "daemon/provider"],
    "daemon/gateway": ["daemon/base", "daemon/assets", "daemon/log", "daemon/config",
                       "daemon/http", "daemon/domain", "daemon/store", "daemon/provider",
                       "daemon/units"],
    "daemon/fuzz": ["daemon/base", "daemon/log", "daemon/config", "daemon/http", "daemon/domain", "daemon/store",
                    "daemon/provider", "daemon/units", "daemon/gateway"],
    # Looks at what a daemon keeps and asks a running one.
    "daemon/doctor": ["daemon/base", "daemon/log", "daemon/config", "daemon/http", "daemon/domain",
                      "daemon/store", "daemon/provider", "daemon/gateway"],
    # A client of the HTTP API: nothing of the daemon's inside.
    "daemon/cli": ["daemon/base", "daemon/config", "daemon/http", "daemon/domain"],
    "daemon": ["daemon/cli", "daemon/doctor", "daemon/gateway"],  # main.cpp
    "harness/base": [],
    "harness/scenario": ["harness/base"],
    "harness/history": ["harness/base"],
    "harness/clients": ["harness/base"],
    "harness/target": _harness_left,
    "harness/probes": _harness_look,
    "harness/faults": _harness_look,
    "harness/plan": _harness_plan,
    # Judging is pure: no process, no network, nothing that could start one.
    "harness/verdict": ["harness/base", "harness/scenario", "harness/history"],
    "harness/report": ["harness/base", "harness/scenario", "harness/history", "harness/verdict"],
    "harness/run": _harness_run,
    "harness/campaign": _harness_many,
    "harness/explore": _harness_many,
    "harness/prove": _harness_many + ["harness/report"],
    "harness/cli": _harness_many + ["harness/report", "harness/campaign", "harness/explore",
                                    "harness/prove"],
    # What reads what others wrote, called with anything.
    "harness/fuzz": ["harness/base", "harness/scenario", "harness/history", "harness/clients",
                     "harness/target", "harness/verdict"],
    # The scenarios as a Boost.Test suite: a program beside main.cpp, on what cli stands on.
    "harness/suite": ["harness/base", "harness/scenario", "harness/history", "harness/clients",
                      "harness/verdict", "harness/report", "harness/cli"],
    "harness": ["harness/base", "harness/cli"],  # main.cpp
}
GENERATED = {"version.h"}  # made by CMake; belongs to nobody
# Fixtures are programs of their own: they share headers only within their folder.
SOURCES = (".cpp", ".cc", ".c", ".h", ".hpp")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
ANGLED = re.compile(r'^\s*#\s*include\s*<((?:daemon|harness|fixtures)/[^>]+)>')
PART = re.compile(r"\bpart\(\s*(\w+)([^)]*)\)", re.S)


def folder_of(root, path):
    """The row of the table that a file belongs to: its folder's path below the root."""
    return path.relative_to(root).parent.as_posix()


def resolve(root, source, written):
    """The file that an include means, or None."""
    for candidate in (root / written, source.parent / written):
        if candidate.is_file():
            return candidate.resolve()
    return None


def check_include(root, source, number, written, found):
    here = folder_of(root, source)
    where = f"{source.relative_to(root)}:{number}"
    if written in GENERATED:
        return
    target = resolve(root, source, written)
    if target is None or not target.is_relative_to(root):
        found.append(f'{where}: "{written}" is no file of this repository (write its full path)')
        return
    there = folder_of(root, target)
    if there == here:
        return
    if here.split("/")[0] == "fixtures":
        if there.split("/")[0] != "fixtures":
            found.append(f"{where}: a fixture includes {written}; fixtures share no code with "
                         "daemon/ or harness/")
        return
    if here not in MAY_USE:
        found.append(f"{where}: folder {here} has no row in ci/check_layers.py; add one")
    elif there not in MAY_USE[here]:
        found.append(f"{where}: {here} must not include {there} ({written}); it may include: "
                     f"{', '.join(MAY_USE[here]) or 'nothing'}")


def check_part(root, listing, text, found):
    """What CMake links must point the same way as what is included."""
    here = folder_of(root, listing)
    for match in PART.finditer(re.sub(r"#[^\n]*", "", text)):
        section = None
        for word in match.group(2).split():
            if word in ("USES", "LINKS", "TEST_USES"):
                section = word
            elif section == "USES":
                there = word.replace("aima_", "daemon/", 1).replace("harness_", "harness/", 1)
                if there not in MAY_USE.get(here, []):
                    number = text[:match.start()].count("\n") + 1
                    found.append(f"{listing.relative_to(root)}:{number}: {here} must not link "
                                 f"{word}; it may use: {', '.join(MAY_USE.get(here, []))}")


def violations(root):
    root = Path(root).resolve()
    found, looked_at = [], 0
    for top in ("daemon", "harness", "fixtures"):
        for path in sorted((root / top).rglob("*")):
            if path.name == "CMakeLists.txt":
                check_part(root, path, path.read_text(encoding="utf-8"), found)
            if path.suffix not in SOURCES or not path.is_file():
                continue
            looked_at += 1
            text = path.read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.splitlines(), 1):
                match = INCLUDE.match(line) or ANGLED.match(line)
                if match:
                    check_include(root, path, number, match.group(1), found)
    return found, looked_at


# (file that is changed, line that is added to it, words that the finding must hold)
PLANTED = [
    ("daemon/domain/planted.h", '#include "daemon/store/store.h"',
     "daemon/domain must not include daemon/store"),
    ("daemon/cli/planted.h", '#include "daemon/units/units.h"',
     "daemon/cli must not include daemon/units"),
    ("daemon/base/planted.h", '#include "harness/base/error.h"',
     "daemon/base must not include harness/base"),
    ("daemon/base/planted_angled.h", '#include <harness/base/error.h>',
     "daemon/base must not include harness/base"),
    ("harness/base/planted.h", '#include "daemon/base/error.h"',
     "harness/base must not include daemon/base"),
    ("harness/verdict/planted.cpp", '#include "harness/target/child.h"',
     "harness/verdict must not include harness/target"),
    ("harness/verdict/planted_relative.cpp", '#include "../target/child.h"',
     "harness/verdict must not include harness/target"),
    ("harness/scenario/planted.h", '#include "harness/history/history.h"',
     "harness/scenario must not include harness/history"),
    ("harness/report/planted.h", '#include "harness/run/run.h"',
     "harness/report must not include harness/run"),
    ("harness/probes/planted.h", '#include "harness/run/run.h"',
     "harness/probes must not include harness/run"),
    ("fixtures/engine/planted.h", '#include "daemon/base/error.h"',
     "a fixture includes daemon/base/error.h"),
    ("harness/new_folder/planted.h", '#include "harness/base/error.h"',
     "harness/new_folder has no row"),
    ("harness/base/planted_missing.h", '#include "nowhere.h"', "is no file of this repository"),
    ("harness/verdict/CMakeLists.txt", "part(planted USES harness_run)",
     "harness/verdict must not link harness_run"),
]


def selftest(root):
    missed = []
    with tempfile.TemporaryDirectory(prefix="aima-layers-") as scratch:
        copy = Path(scratch) / "tree"
        for top in ("daemon", "harness", "fixtures"):
            shutil.copytree(root / top, copy / top)
        for name, line, expected in PLANTED:
            quoted = re.search(r'["<]([^">]+\.h)[">]', line)
            if quoted and quoted.group(1) != "nowhere.h":
                # The included header itself may not be written yet: any file will do here.
                header = (copy / name).parent / quoted.group(1) if ".." in line \
                    else copy / quoted.group(1)
                header.parent.mkdir(parents=True, exist_ok=True)
                header.touch()
            path = copy / name
            before = path.read_text(encoding="utf-8") if path.exists() else None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text((before or "") + "\n" + line + "\n", encoding="utf-8")
            found, _ = violations(copy)
            if not any(expected in finding for finding in found):
                missed.append(f"planted in {name}: {line}: not found")
            path.unlink() if before is None else path.write_text(before, encoding="utf-8")
    print("\n".join(missed) if missed else f"each of {len(PLANTED)} planted violations was found")
    return 1 if missed else 0


def main(arguments):
    plant = "--selftest" in arguments
    rest = [word for word in arguments if word != "--selftest"]
    if any(word.startswith("-") for word in rest) or len(rest) > 1:
        print(__doc__, file=sys.stderr)
        return 64
    root = Path(rest[0] if rest else Path(__file__).parent.parent).resolve()
    if plant:
        return selftest(root)
    found, looked_at = violations(root)
    for finding in found:
        print(finding)
    if looked_at == 0:
        print(f"{root}: no sources found; that is no pass")
        return 1
    if not found:
        print(f"{looked_at} files: every include and every linked part points the right way")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
