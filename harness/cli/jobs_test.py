#!/usr/bin/env python3
"""`run -j N` from outside: the same answers as one by one, own ports, folders and labels, output in
the order of selection and never interleaved, every end of it clean.

usage: jobs_test.py HARNESS SOURCE_ROOT [--provider native|docker] [unittest options]
This script is a child subreaper: whatever a run left is a descendant of it, with or without marks.
"""
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import time
import xml.etree.ElementTree as xml

from descendants import adopt_orphans, descendants
from outside import HARNESS, OPTIONS, ROOT, SANITIZERS, HarnessTest, main

LIMIT_S = 120

SCENARIO = """scenario: {name}
title: {name}
target: misbehaving
vars: {{how: {how}}}
timeout: 40s
criteria:
  1: it does what is asked
steps:
{steps}
"""
STOPS = "  - start: {}\n    criterion: 1\n  - stop: {}\n"
WAITS = "  - start: {}\n  - await: {file: never-there, within: 35s}\n    criterion: 1\n"


def pause():
    time.sleep(0.005)  # between two looks, not in place of them


class Jobs(HarnessTest):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.runs = self.path / "runs"
        if "DOCKER_HOST" in os.environ:
            self.environment["DOCKER_HOST"] = os.environ["DOCKER_HOST"]

    def write(self, name, steps=STOPS, how="behaves"):
        file = self.path / f"{name}.yaml"
        file.write_text(SCENARIO.format(name=name, how=how, steps=steps))
        return str(file)

    def command(self, jobs, *words, runs=None):
        return [HARNESS, "run", *words, "--root", ROOT, "--out",
                str(runs or self.runs), "--provider", OPTIONS.provider, "--seed", "7", "-j", str(jobs)]

    def run_it(self, jobs, *words, runs=None):
        done = subprocess.run(self.command(jobs, *words, runs=runs), env=self.environment, text=True,
                              cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT_S, stdin=subprocess.DEVNULL)
        self.assert_nothing_left(done.stdout)
        return done

    def start_it(self, jobs, *words, runs=None):
        return subprocess.Popen(self.command(jobs, *words, runs=runs), env=self.environment, text=True,
                                cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def assert_nothing_left(self, output=""):
        self.assertEqual(list((self.path / "tmp").iterdir()), [], output)
        self.assertEqual(descendants(), {}, output)
        if OPTIONS.provider == "docker":
            for history in self.path.glob("runs*/*/history.jsonl"):
                label = "label=aima.run=" + json.loads(history.read_text().split("\n")[0])["run_id"]
                left = subprocess.run(["docker", "ps", "-aq", "--filter", label], text=True, check=True,
                                      capture_output=True)
                self.assertEqual(left.stdout.split(), [], label + output)

    def histories(self, runs=None):
        """scenario name → events, of every run folder."""
        found = {}
        for file in sorted((runs or self.runs).glob("*/history.jsonl")):
            if file.parent.is_symlink():
                continue
            events = [json.loads(line) for line in file.read_text().split("\n")[:-1]]
            if events:
                found.setdefault(events[0]["scenario"], []).append(events)
        return found

    def until_waiting(self, process, count):
        """Until `count` runs stand in their second step."""
        deadline = time.monotonic() + 60
        while True:
            at = [run for runs in self.histories().values() for run in runs
                  if any(e["event"] == "step.begin" and e["step"] == "2" for e in run)]
            if len(at) >= count:
                return
            self.assertIsNone(process.poll(), "it ended too early")
            self.assertLess(time.monotonic(), deadline)
            pause()

    def answers(self, report):
        verdicts = json.loads(pathlib.Path(report).read_text())["verdicts"]
        return [(v["scenario"], v["seed"], v["answer"],
                 [(f["criterion"], f["answer"], f["note"]) for f in v["findings"]],
                 [(d["domain"], d["before"], d["after"], d["outcome"]) for d in v["domains"]],
                 [f["name"] for f in v["facts"]]) for v in verdicts]

    def test_the_same_answers_as_one_by_one(self):
        told = {}
        # Under a sanitizer a few: scenarios_native runs them all there.
        some = ["restart-survival", "graceful-shutdown", "builtins-reloaded"] if SANITIZERS else []
        for jobs in (1, 4):
            report, junit = self.path / f"{jobs}.json", self.path / f"{jobs}.xml"
            done = self.run_it(jobs, *some, "--report", f"json={report}", "--report", f"junit={junit}",
                               runs=self.path / f"runs{jobs}")
            self.assertEqual(done.returncode, 0, done.stdout)
            cases = [(c.get("classname"), c.get("name")) for c in xml.parse(junit).iter("testcase")]
            told[jobs] = (self.answers(report), cases)
        self.assertGreater(len(told[1][0]), 2 if some else 10)
        self.assertEqual(told[1], told[4])

    def test_own_ports_folders_and_labels(self):
        files = [self.write(f"own-{n}", WAITS) for n in range(4)]
        process = self.start_it(4, *files)
        self.until_waiting(process, 4)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=LIMIT_S)[0]
        begins = [runs[0][0] for runs in self.histories().values()]
        self.assertEqual(len(begins), 4)
        for name in ("port", "engine_ports", "sandbox", "home", "data", "run_id"):
            values = {begin["variables"][name] for begin in begins}
            self.assertEqual(len(values), 4, f"{name}: {values}")
        self.assertEqual(len({begin["run_id"] for begin in begins}), 4)
        self.assert_nothing_left(output)

    def assert_in_order(self, lines, names):
        """Each line whole, both beginnings and ends in the order of selection."""
        begun, ended = [], []
        for line in lines:
            found = re.fullmatch(r"\[(\d+)/(\d+)\] (\S+) (?:…|([A-Z]+) after \S+ \S+)", line)
            self.assertIsNotNone(found, f"not a whole line: {line!r}")
            number, total, name, answer = found.groups()
            self.assertEqual(int(total), len(names))
            self.assertEqual(names[int(number) - 1], name)
            (ended if answer else begun).append(name)
        self.assertEqual(begun, names)
        self.assertEqual(ended, names)

    def test_output_is_in_order_and_whole(self):
        # The first is the slowest: what ends before it waits for its turn.
        slow = "  - start: {}\n  - shell: sleep 0.7\n  - stop: {}\n    criterion: 1\n"
        names = [f"ordered-{n}" for n in range(6)]
        files = [self.write(name, STOPS if n else slow) for n, name in enumerate(names)]
        report = self.path / "order.json"
        done = self.run_it(3, *files, "--report", f"json={report}")
        self.assertEqual(done.returncode, 0, done.stdout)
        # Cgroups are the machine's: a harness that another test has killed is told of here too.
        lines = [line for line in done.stdout.splitlines() if not re.match(r"note: \d+ earlier run", line)]
        self.assertEqual(lines[0], "seed 7")
        self.assert_in_order(lines[1:13], names)
        headings = [line.split(" · ")[0] for line in lines if re.match(r"ordered-\d · ", line)]
        self.assertEqual(headings, names)
        self.assertEqual([answer[0] for answer in self.answers(report)], names)

    def test_the_check_of_the_order_notices(self):
        """That it can fail: two ends exchanged, a line torn, one missing."""
        good = ["[1/2] a …", "[2/2] b …", "[1/2] a PASS after 1.0 ms", "[2/2] b PASS after 1.0 ms"]
        self.assert_in_order(good, ["a", "b"])
        for bad in ([good[0], good[1], good[3], good[2]], good[:3] + ["[2/2] b PA[1/2] a …"], good[:3]):
            with self.assertRaises(AssertionError):
                self.assert_in_order(bad, ["a", "b"])

    def test_a_terminal_sees_one_live_line(self):
        files = [self.write(f"live-{n}", "  - start: {}\n  - shell: sleep 0.5\n  - stop: {}\n    criterion: 1\n")
                 for n in range(3)]
        outer, inner = pty.openpty()
        process = subprocess.Popen(self.command(3, *files), env=self.environment, stdout=inner,
                                   stderr=inner, cwd=ROOT, stdin=subprocess.DEVNULL)
        os.close(inner)
        text = b""
        while True:
            try:
                chunk = os.read(outer, 65536)
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
            text += chunk
        os.close(outer)
        self.assertEqual(process.wait(timeout=LIMIT_S), 0)
        shown = text.decode().replace("\r\n", "\n")
        live, report = shown[: shown.rindex("\r\x1b[2K")], shown[shown.rindex("\r\x1b[2K") + 5:]
        drawn = [line for line in live.split("\r\x1b[2K") if line][1:]
        self.assertTrue(any(all(f"live-{n}" in line for n in range(3)) for line in drawn), drawn)
        self.assertFalse([line for line in drawn if "\n" in line or len(line.encode()) > 100], drawn)
        self.assertEqual(re.findall(r"^(live-\d): PASS", report, re.M), ["live-0", "live-1", "live-2"])
        self.assertNotIn("\x1b[2K", report)
        self.assert_nothing_left(shown)

    def test_an_escaped_child_is_laid_to_whose_it_was(self):
        """Nothing in /proc of that child says where it came from, and others run at the same time."""
        files = [self.write("innocent-1"), self.write("guilty", how="escapes-child"),
                 self.write("innocent-2"), self.write("hiding", how="hides-child")]
        long = "  - start: {}\n    criterion: 1\n  - shell: sleep 0.6\n  - stop: {}\n"
        files.append(self.write("innocent-3", long))
        for number in range(3):
            report = self.path / f"{number}.json"
            done = self.run_it(4, *files, "--report", f"json={report}")
            self.assertEqual(done.returncode, 1, done.stdout)
            answers = {a[0]: dict((c[0], c[1]) for c in a[3]) for a in self.answers(report)}
            for name, found in answers.items():
                wanted = "fail" if name in ("guilty", "hiding") else "pass"
                self.assertEqual(found, {"1": "pass", "run": wanted}, f"{name}\n{done.stdout}")

    def test_interrupted_once(self):
        files = [self.write(f"cut-{n}", WAITS) for n in range(5)]
        for number in (signal.SIGINT, signal.SIGTERM):
            runs = self.runs = self.path / f"runs-{number}"
            report = self.path / f"{number}.json"
            process = self.start_it(3, *files, "--report", f"json={report}")
            self.until_waiting(process, 3)
            process.send_signal(number)
            output = process.communicate(timeout=LIMIT_S)[0]
            self.assertEqual(process.returncode, 128 + number, output)
            verdicts = json.loads(report.read_text())["verdicts"]
            # Those in flight are judged, none of the others was started.
            self.assertEqual([v["scenario"] for v in verdicts], ["cut-0", "cut-1", "cut-2"])
            name = signal.Signals(number).name.removeprefix("SIG")
            self.assertEqual([v["interrupted"].removeprefix("SIG") for v in verdicts], [name] * 3)
            self.assertEqual({v["answer"] for v in verdicts}, {"inconclusive"})
            for runs_of in self.histories(runs).values():
                self.assertEqual([e["event"] for e in runs_of[0]][-1], "run.end")
            self.assert_nothing_left(output)

    def test_interrupted_twice(self):
        stubborn = [self.write(f"stubborn-{n}", WAITS, how="ignores-term") for n in range(3)]
        process = self.start_it(3, *stubborn)
        self.until_waiting(process, 3)
        process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + 20
        while not all(any(e["event"] == "signal.sent" for e in run[0]) for run in self.histories().values()):
            self.assertLess(time.monotonic(), deadline)
            pause()
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=LIMIT_S)[0]
        self.assertEqual(process.returncode, 128 + signal.SIGINT, output)
        self.assertLess(time.monotonic() - begin, 5)
        self.assert_nothing_left(output)

    def test_killed(self):
        """The kernel ends the workers and their daemons; `clean` takes the rest."""
        files = [self.write(f"killed-{n}", WAITS) for n in range(3)]
        process = self.start_it(3, *files)
        self.until_waiting(process, 3)
        process.kill()
        process.communicate(timeout=LIMIT_S)
        deadline = time.monotonic() + 10
        while descendants():
            self.assertLess(time.monotonic(), deadline, descendants())
            pause()
        cleaned = subprocess.run([HARNESS, "clean", "--root", ROOT], text=True,
                                 env=self.environment, capture_output=True, timeout=LIMIT_S)
        self.assertEqual(cleaned.returncode, 0, cleaned.stdout + cleaned.stderr)
        self.assert_nothing_left(cleaned.stdout)

    def test_a_worker_that_dies_is_an_error_of_its_run_alone(self):
        long = "  - start: {}\n    criterion: 1\n  - shell: sleep 0.8\n  - stop: {}\n"
        files = [self.write("fine", long), self.write("doomed", WAITS, how="leaves-child")]
        report = self.path / "doomed.json"
        process = self.start_it(2, *files, "--report", f"json={report}")
        self.until_waiting(process, 2)
        doomed = self.histories()["doomed"][0]
        sandbox = pathlib.Path(doomed[0]["variables"]["sandbox"])
        worker = json.loads((sandbox / "run.json").read_text())["pid"]
        self.assertNotEqual(worker, process.pid)
        os.kill(worker, signal.SIGKILL)
        output = process.communicate(timeout=LIMIT_S)[0]
        self.assertEqual(process.returncode, 3, output)
        verdicts = {v["scenario"]: v for v in json.loads(report.read_text())["verdicts"]}
        self.assertEqual(verdicts["fine"]["answer"], "pass")
        self.assertEqual(verdicts["doomed"]["answer"], "error")
        self.assertIn("SIGKILL", verdicts["doomed"]["reason"])
        self.assertIn("were removed", verdicts["doomed"]["reason"])
        self.assert_nothing_left(output)

    def test_fail_fast_starts_nothing_more(self):
        slow = "  - start: {}\n    criterion: 1\n  - shell: sleep 0.5\n  - stop: {}\n"
        files = [self.write("slow", slow), self.write("bad", how="dies-at-start")]
        files += [self.write(f"later-{n}") for n in range(3)]
        report = self.path / "fast.json"
        done = self.run_it(2, *files, "--fail-fast", "--report", f"json={report}")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual([(a[0], a[2]) for a in self.answers(report)], [("slow", "pass"), ("bad", "fail")])

    def test_repeat(self):
        files = [self.write("one"), self.write("two")]
        report = self.path / "repeat.json"
        done = self.run_it(3, *files, "--repeat", "4", "--report", f"json={report}")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual([(a[0], a[1]) for a in self.answers(report)],
                         [(name, str(7 + n)) for name in ("one", "two") for n in range(4)])
        self.assertEqual({name: len(runs) for name, runs in self.histories().items()}, {"one": 4, "two": 4})

    def test_a_setting_for_one_scenario_only(self):
        uses = self.path / "uses.yaml"
        uses.write_text(SCENARIO.format(name="uses", how="behaves", steps=STOPS).replace(
            "vars: {how: behaves}", "vars: {how: behaves, word: w}").replace(
            "  - stop: {}", "  - shell: test ${word} = given\n  - stop: {}"))
        done = self.run_it(2, str(uses), self.write("without"), "--set", "word=given")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_absurd_numbers_are_usage_errors(self):
        file = self.write("one")
        for jobs in ("0", "-1", "65", "1000000", "many", "1.5", ""):
            done = self.run_it(jobs, file)
            self.assertEqual(done.returncode, 4, f"-j {jobs}: {done.stdout}")
        self.assertFalse(self.runs.exists())

    def test_two_harnesses_at_once(self):
        names = ["restart-survival", "graceful-shutdown", "nothing-left-locked", "port-not-handed-out-twice"]
        files = [f"{ROOT}/scenarios/{name}.yaml" for name in names]
        pair = [self.start_it(3, *files, runs=self.path / f"runs-{which}") for which in "ab"]
        outputs = [process.communicate(timeout=LIMIT_S)[0] for process in pair]
        for process, output in zip(pair, outputs):
            self.assertEqual(process.returncode, 0, output)
        self.assert_nothing_left("\n".join(outputs))

    def test_a_worker_is_not_for_people(self):
        done = subprocess.run([HARNESS, "run-worker"], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)
        self.assertEqual(done.returncode, 4)
        self.assertIn("use `aima-harness run`", done.stderr)
        listed = subprocess.run([HARNESS, "--help"], env=self.environment, text=True,
                                capture_output=True, timeout=LIMIT_S).stdout
        self.assertNotIn("run-worker", listed)


if __name__ == "__main__":
    adopt_orphans()
    main()
