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

    def cases_of(self, *words):
        """{case: its failure's text, or None} as JUnit tells; what is not run is not in it."""
        status, out, err = suite("--log_format=JUNIT", *words)
        found = {}
        for case in xml.fromstring(out).iter("testcase"):
            if case.find("skipped") is None:
                bad = [part for part in case if part.tag in ("failure", "error")]
                found[case.get("name").split("_")[0]] = bad[0].text if bad else None
        return status, found, out + err

    def test_runs_the_one_case_that_is_asked_for(self):
        status, found, told = self.cases_of(f"--run_test={SEED}/4_*", "--", "--provider", "native")
        self.assertEqual(status, 0, told)
        self.assertEqual(found, {"4": None}, told)
        status, out, err = suite("--run_test=no-such-scenario")
        self.assertNotEqual(status, 0)
        self.assertIn("no test cases matching", out + err)

    def test_only_the_case_of_the_failing_criterion_fails(self):
        status, found, told = self.cases_of("--", "scenarios/canary/false-expectation.yaml")
        self.assertNotEqual(status, 0, told)
        self.assertEqual({name for name, bad in found.items() if bad}, {"1"}, told)
        self.assertEqual(set(found), {"1", "2", "run"})
        self.assertIn("FAIL: `.total == 2` is false", found["1"])

    def test_inconclusive_is_no_pass(self):
        status, found, told = self.cases_of("--", "scenarios/canary/typo-is-null.yaml")
        self.assertNotEqual(status, 0, told)
        self.assertIn("INCONCLUSIVE", found["1"])
        self.assertIsNone(found["run"])

    def test_refuses_what_it_cannot_read(self):
        status, out, err = suite("--", "scenarios/canary/unreadable-scenario.yaml")
        self.assertNotEqual(status, 0)
        self.assertIn("unreadable-scenario.yaml:10", out + err)

    def test_fails_where_no_verdict_is(self):
        status, out, err = suite("--", "--harness", "/bin/false", f"scenarios/{SEED}.yaml")
        self.assertNotEqual(status, 0)
        self.assertEqual((out + err).count("the harness left no verdict"), 9, out + err)


if __name__ == "__main__":
    unittest.main()
