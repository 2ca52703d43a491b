#!/usr/bin/env python3
"""aima selftest: selftest_test.py AIMA HARNESS [unittest arguments]. First with a script in the harness's
place, which tells how it was called; then with the harness itself."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

AIMA, HARNESS = Path(sys.argv.pop(1)).resolve(), Path(sys.argv.pop(1)).resolve()

TELLS = r"""#!/bin/sh
# Stands in for the harness: how it was called, and the exit status it was told to have.
{ printf '%s\n' "$@"; } >"$(dirname "$0")/words"
env >"$(dirname "$0")/environment"
pwd >"$(dirname "$0")/folder"
ls -A "$HOME" >"$(dirname "$0")/home"
[ ! -e "$(dirname "$0")/waits" ] || {
  trap 'echo ended by us >"$(dirname "$0")/ended"; exit 143' TERM
  trap 'echo interrupted >"$(dirname "$0")/ended"; exit 130' INT
  mkfifo "$(dirname "$0")/never" && echo ready
  exec 3<>"$(dirname "$0")/never"
  while :; do read -r nothing <&3; done
}
exit "$(cat "$(dirname "$0")/status")"
"""


class Selftest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="aima-tested-"))
        (self.folder / "bin").mkdir()
        (self.folder / "tmp").mkdir()
        self.aima = self.folder / "bin" / "aima"
        shutil.copy2(AIMA, self.aima)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8",
                            "TMPDIR": str(self.folder / "tmp")}

    def tearDown(self):
        left = list((self.folder / "tmp").iterdir())
        shutil.rmtree(self.folder)
        self.assertEqual(left, [], "selftest left something behind")

    def stand_in(self, folder, status=0):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text(str(status))
        harness = folder / "aima-harness"
        harness.write_text(TELLS)
        harness.chmod(0o755)
        return folder

    def run_it(self, *words, **more):
        return subprocess.run([self.aima, "selftest", *words], capture_output=True, text=True,
                              cwd=self.folder, env=self.environment | more, timeout=120, check=False)

    def told(self, folder, what="words"):
        return (folder / what).read_text().split("\n")[:-1]

    def test_without_a_harness(self):
        done = self.run_it()
        self.assertEqual((done.returncode, done.stdout), (69, ""))
        self.assertIn("selftest needs aima-harness", done.stderr)

    def test_the_seeds_on_this_very_file(self):
        beside = self.stand_in(self.folder / "bin")
        self.assertEqual(self.run_it(AIMA_SERVER="http://x", AIMA_LABELS="a=b", NOTIFY_SOCKET="@x",
                                     LISTEN_FDS="1", DOCKER_HOST="unix:///d").returncode, 0)
        words = self.told(beside)
        self.assertEqual(words[:5], ["run", "restart-survival", "graceful-shutdown", "--set",
                                     f"target.vars.aima={self.aima}"])
        self.assertEqual(words[5:7], ["--provider", "native"])
        environment = self.told(beside, "environment")
        self.assertIn("DOCKER_HOST=unix:///d", environment)
        self.assertEqual([line for line in environment
                          if line.startswith(("AIMA_", "NOTIFY", "LISTEN"))], [])
        self.assertNotIn("HOME=/nonexistent", environment)
        self.assertEqual(self.told(beside, "home"), [])
        self.assertTrue(self.told(beside, "folder")[0].startswith(str(self.folder / "tmp")))

    def test_what_is_passed_on(self):
        beside = self.stand_in(self.folder / "bin")
        (self.folder / "mine.yaml").write_text("")
        self.run_it("mine.yaml", "large-wal-replay", "--provider", "docker", "--jobs", "3", "--seed",
                    "7", "--out", "runs", "--timeout", "90", "--output", "json")
        words = self.told(beside)
        self.assertEqual(words[1:3], [str(self.folder / "mine.yaml"), "large-wal-replay"])
        self.assertEqual(words[5:], ["--provider", "docker", "--out", str(self.folder / "runs"), "--jobs",
                                     "3", "--seed", "7", "--timeout", "90000ms", "--report", "json=-"])
        self.run_it("--list")
        self.assertEqual(self.told(beside), ["list", "scenarios"])
        self.assertEqual(self.run_it("--output", "yaml").returncode, 64)

    def test_where_it_is_looked_for(self):
        last = self.stand_in(self.folder / "libexec" / "aima-harness", 3)
        self.assertEqual(self.run_it().returncode, 3)
        path = self.stand_in(self.folder / "in-path", 4)
        self.assertEqual(self.run_it(PATH=f"/nonexistent:{path}:/usr/bin:/bin").returncode, 4)
        self.stand_in(self.folder / "bin", 5)
        self.assertEqual(self.run_it(PATH=f"{path}:/usr/bin:/bin").returncode, 5)
        self.assertTrue(last.exists())

    def test_each_exit_status_is_the_harness_s(self):
        for status in (0, 1, 2, 3, 4, 5, 6, 130):
            self.stand_in(self.folder / "bin", status)
            self.assertEqual(self.run_it().returncode, status)

    def test_signals_reach_it_once_and_nothing_stays(self):
        for number, said in ((signal.SIGTERM, "ended by us"), (signal.SIGINT, "interrupted")):
            beside = self.stand_in(self.folder / "bin")
            (beside / "waits").write_text("")
            for old in ("never", "ended"):
                (beside / old).unlink(missing_ok=True)
            running = subprocess.Popen([self.aima, "selftest"], env=self.environment, text=True,
                                       stdout=subprocess.PIPE)
            self.assertEqual(running.stdout.readline(), "ready\n")
            running.send_signal(number)
            self.assertEqual(running.wait(20), 128 + number)
            running.stdout.close()
            self.assertEqual((beside / "ended").read_text(), said + "\n")

    def test_the_real_one(self):
        done = self.run_it(PATH=f"{HARNESS.parent}:/usr/bin:/bin")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("graceful-shutdown: PASS", done.stdout)
        report = self.run_it("restart-survival", "--output", "json", PATH=f"{HARNESS.parent}:/usr/bin:/bin")
        self.assertEqual(report.returncode, 0, report.stderr)
        json.loads(report.stdout)

    def test_a_bad_program_fails(self):
        # It must be this very file that is run: one that never says that it is ready is found out.
        text = self.aima.read_bytes().replace(b"READY=1", b"READY=2")
        self.assertNotEqual(text, self.aima.read_bytes())
        self.aima.write_bytes(text)
        done = self.run_it("restart-survival", PATH=f"{HARNESS.parent}:/usr/bin:/bin")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
