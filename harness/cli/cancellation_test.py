#!/usr/bin/env python3
"""A run that is cancelled: signals to the harness, once and more often, in steps and waits; SIGKILL.

usage: cancellation_test.py HARNESS SOURCE_ROOT [unittest options]
"""
import signal
import subprocess
import time

from misbehaving import MisbehavingTest
from outside import HARNESS, ROOT, main


class Cancellation(MisbehavingTest):
    def until(self, wanted):
        deadline = time.monotonic() + 20
        while not any(wanted(event) for event in self.history()):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)

    def interrupted(self, number, steps, at, times=1):
        file = self.write(steps, timeout="30s")
        process = self.begin_harness(file, "behaves")
        deadline = time.monotonic() + 20
        while not any(e["event"] == "step.begin" and e["step"] == at for e in self.history()):
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(process.poll())
            time.sleep(0.005)
        for _ in range(times):
            process.send_signal(number)
        output, _ = process.communicate(timeout=30)
        return process.returncode, output

    STEPS = ("  - start: {}\n  - shell: sleep 30\n    criterion: 1\n  - stop: {}\n")

    def test_interrupted_once_heals_and_tells(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            status, output = self.interrupted(number, self.STEPS, "2")
            self.assertEqual(status, 128 + number, output)
            self.assert_nothing_left(output)
            self.assertEqual(self.verdict()["answer"].lower(), "inconclusive")
            subprocess.run(["rm", "-r", str(self.path / "runs")], check=True)

    def test_interrupted_in_a_wait_and_in_the_background(self):
        for steps, at in (
                ("  - start: {}\n  - await: {log: never, within: 25s}\n    criterion: 1\n", "2"),
                ("  - start: {}\n  - background: g\n    shell: sleep 30\n  - join: g\n    criterion: 1\n"
                 "    expect: length == 1\n", "3"),
                ("  - start: {}\n  - pause: {}\n  - await: {file: nothing, within: 25s}\n    criterion: 1\n", "3"),
                ("  - start: {}\n  - parallel: [{shell: sleep 30}, {shell: sleep 30}]\n"
                 "  - shell: 'true'\n    criterion: 1\n", "2")):
            status, output = self.interrupted(signal.SIGINT, steps, at)
            self.assertEqual(status, 130, output)
            self.assert_nothing_left(output)
            for run in (self.path / "runs").iterdir():
                if not run.is_symlink():
                    subprocess.run(["rm", "-r", str(run)], check=True)

    def test_told_while_the_daemon_takes_its_time_to_leave(self):
        """A stop cuts short how long an unwilling daemon is waited for at the end."""
        file = self.write("  - start: {}\n    criterion: 1\n")
        process = self.begin_harness(file, "ignores-term", *self.patient())
        self.until(lambda e: e["event"] == "signal.sent")
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - begin, 6, output)
        self.assertEqual(process.returncode, 130, output)
        self.assertEqual(self.verdict()["answer"].lower(), "inconclusive")
        self.assert_nothing_left(output)

    def test_second_and_third_interruption(self):
        file = self.write("  - start: {}\n  - shell: sleep 30\n    criterion: 1\n"
                          "finally:\n  - shell: trap '' TERM; sleep 20\n", timeout="30s")
        for times in (2, 3):
            process = self.begin_harness(file, "ignores-term", *self.patient())
            self.until(lambda e: e["event"] == "step.begin" and e["step"] == "2")
            process.send_signal(signal.SIGINT)
            self.until(lambda e: e["event"] == "interrupted")
            for _ in range(times - 1):
                process.send_signal(signal.SIGINT)
                time.sleep(0.02)  # two of the same signal that are pending at once are one
            begin = time.monotonic()
            output, _ = process.communicate(timeout=60)
            self.assertLess(time.monotonic() - begin, 6, output)
            self.assertIn(process.returncode, (130,) if times == 2 else (130, -signal.SIGINT), output)
            if times == 3:
                subprocess.run([HARNESS, "clean", "--root", ROOT], env=self.environment, check=True,
                               stdout=subprocess.DEVNULL)
            self.assert_nothing_left(output)
            subprocess.run(["rm", "-r", str(self.path / "runs")], check=True)

    def test_killed_harness_leaves_a_history_and_clean_removes_the_rest(self):
        for at, steps in (("2", self.STEPS),
                          ("3", "  - start: {}\n  - pause: {}\n  - shell: sleep 30\n    criterion: 1\n")):
            status, output = self.interrupted(signal.SIGKILL, steps, at)
            self.assertEqual(status, -signal.SIGKILL, output)
            runs = [r for r in (self.path / "runs").iterdir() if not r.is_symlink()]
            judged = subprocess.run([HARNESS, "judge", str(runs[0]), "--root", ROOT, "--out",
                                     str(self.path / "runs")], env=self.environment, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(judged.returncode, 2, judged.stdout)
            noted = subprocess.run(self.command(self.write("  - shell: 'true'\n    criterion: 1\n",
                                                           name="next"), "behaves"),
                                   env=self.environment, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
            self.assertIn("aima-harness clean", noted.stderr)
            cleaned = subprocess.run([HARNESS, "clean", "--root", ROOT], env=self.environment,
                                     text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(cleaned.returncode, 0, cleaned.stdout)
            self.assert_nothing_left(cleaned.stdout)
            subprocess.run(["rm", "-r", str(self.path / "runs")], check=True)


if __name__ == "__main__":
    main()
