#!/usr/bin/env python3
"""The Boost.Test view of the scenarios, from outside: usage: suite_test.py BIN_FOLDER SOURCE_ROOT

It lists one case per criterion (and `run`) of every scenario, passes on the true harness, gives
JUnit, and fails, each case by itself, where the harness leaves no verdict.
"""
import json
import pathlib
import re
import subprocess
import sys
import unittest
import xml.etree.ElementTree as xml

BIN, ROOT = (pathlib.Path(word) for word in sys.argv[1:3])
del sys.argv[1:3]
LIMIT_S = 240
SEED = "restart-survival"


def suite(*words):
    """One run of scenario-suite: (exit status, stdout, stderr)."""
    done = subprocess.run([BIN / "scenario-suite", *words], cwd=ROOT, capture_output=True,
                          text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def listed(text):
    """{suite: [its cases]} from --list_content: an indented line is a case of the suite above."""
    found = {}
    for line in text.splitlines():
        name = line.strip().rstrip("*")
        if not name:
            continue
        if line[0] != " ":
            found[name] = []
        else:
            found[list(found)[-1]].append(name)
    return found


class Suite(unittest.TestCase):
    def test_lists_a_case_for_each_criterion(self):
        told = subprocess.run([BIN / "aima-harness", "list", "--json", "scenarios"], cwd=ROOT,
                              capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout
        expected = {one["name"]: one["criteria"] + 1 for one in json.loads(told)["scenarios"]}
        status, out, err = suite("--list_content")
        self.assertEqual(status, 0, err)
        found = {name: len(cases) for name, cases in listed(out + err).items()}
        self.assertEqual(found, expected)
        self.assertIn(SEED, found)

    def test_passes_and_gives_junit(self):
        status, out, err = suite("--log_format=JUNIT", "--", "--provider", "native",
                                 f"scenarios/{SEED}.yaml")
        self.assertEqual(status, 0, out + err)
        cases = xml.fromstring(out).iter("testcase")
        numbers = sorted(re.match(r"[^_]+", case.get("name")).group(0) for case in cases)
        self.assertEqual(numbers, ["1", "2", "3", "4", "5", "6", "7", "8", "run"])

    def test_fails_where_no_verdict_is(self):
        status, out, err = suite("--", "--harness", "/bin/false", f"scenarios/{SEED}.yaml")
        self.assertNotEqual(status, 0)
        self.assertEqual((out + err).count("the harness left no verdict"), 9, out + err)


if __name__ == "__main__":
    unittest.main()
