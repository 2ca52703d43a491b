#!/usr/bin/env python3
"""What a run exits with that never got to judge the daemon, or was to see it refuse, die or hang.

usage: exit_status_test.py HARNESS SOURCE_ROOT [unittest options]
"""
import pathlib
import re
import socket
import subprocess
import time

from misbehaving import MisbehavingTest
from outside import HARNESS, main


class ExitStatus(MisbehavingTest):
    def test_no_daemon_action_costs_little(self):
        file = self.write("  - shell: 'true'\n    criterion: 1\n")
        begin = time.monotonic()
        done = self.run_harness(file, "behaves")
        # Nothing was proven about a daemon that nobody started.
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("no step started a daemon", done.stdout)
        self.assertLess(time.monotonic() - begin, 5)

    def test_a_missing_executable_is_an_error_not_a_fail(self):
        file = self.write("  - start: {}\n    criterion: 1\n")
        done = self.run_harness(file, "behaves", "--set", "target.command=/no/such/daemon")
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("/no/such/daemon", done.stdout)

    def test_a_refused_start_can_be_demanded(self):
        file = self.write("  - start: {fails: {exit: 7, log: '.'}}\n    criterion: 1\n")
        self.assertEqual(self.run_harness(file, "dies-at-start").returncode, 0)
        self.assertEqual(self.run_harness(file, "behaves").returncode, 1)

    def test_kill_and_restart(self):
        file = self.write("  - repeat: {times: 3, steps: [{restart: {signal: KILL}}]}\n"
                          "  - signal: KILL\n  - await: {exit: {signal: KILL}}\n    criterion: 1\n"
                          .replace("  - repeat", "  - start: {}\n  - repeat", 1))
        done = self.run_harness(file, "behaves")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_pause_is_proven_and_healed(self):
        file = self.write("  - start: {}\n  - pause: {}\n    criterion: 1\n    expect: '.state == \"T\"'\n")
        done = self.run_harness(file, "behaves")
        self.assertEqual(done.returncode, 0, done.stdout)
        kinds = [e["event"] for e in self.history()]
        self.assertLess(kinds.index("fault.debt"), kinds.index("fault.struck"))
        self.assertIn("fault.healed", kinds)

    def test_unmet_needs_are_skipped(self):
        file = self.write("  - start: {}\n    criterion: 1\n")
        text = pathlib.Path(file).read_text().replace("timeout:", "needs: [no-such-program]\ntimeout:")
        pathlib.Path(file).write_text(text)
        self.assertEqual(self.run_harness(file, "behaves").returncode, 2)
        self.assertEqual(self.run_harness(file, "behaves", "--allow-skip").returncode, 0)

    def test_a_report_that_cannot_be_written_fails_before_the_run(self):
        file = self.write("  - start: {}\n    criterion: 1\n")
        done = self.run_harness(file, "behaves", "--report", "junit=/no/such/folder/x.xml")
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertFalse((self.path / "runs").exists())

    def test_closed_output_is_an_error_and_still_heals(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        command = self.command(file, "behaves")
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, env=self.environment, stdout=full,
                                  stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assert_nothing_left()

    def test_an_engine_that_hangs(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        path = str(self.path / "engine.sock")
        with socket.socket(socket.AF_UNIX) as engine:
            engine.bind(path)
            engine.listen(16)  # the kernel accepts; nobody ever answers
            self.environment["DOCKER_HOST"] = "unix://" + path
            for provider, status in (("docker", 3), ("auto", 0)):
                begin = time.monotonic()
                done = subprocess.run(self.command(file, "behaves", provider=provider),
                                      env=self.environment, text=True, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, timeout=60)
                self.assertEqual(done.returncode, status, done.stdout)
                self.assertLess(time.monotonic() - begin, 10)
                if provider == "docker":
                    self.assertIn(path + " did not answer", done.stdout)
                else:
                    self.assertIn(path, (self.path / "runs/latest/history.jsonl").read_text())
        self.assert_nothing_left()

    def test_unknown_words_are_refused_with_a_place(self):
        file = self.write("  - strat: {}\n    criterion: 1\n")
        done = self.run_harness(file, "behaves")
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertRegex(done.stdout, re.escape("case.yaml") + r":8:\d+")
        self.assertEqual(subprocess.run([HARNESS, "run", "--no-such-flag"], env=self.environment,
                                        stderr=subprocess.DEVNULL).returncode, 4)


if __name__ == "__main__":
    main()
