"""For the tests beside this file whose daemon is fixtures/misbehaving: one with bad manners.

Each case runs the harness on it and then counts, by /proc alone, what carries the run's mark. Needs no
container engine.
"""
import json
import os
import pathlib
import subprocess
import time

from outside import HARNESS, PATIENCE, ROOT, HarnessTest

SCENARIO = """scenario: {name}
title: {name}
target: misbehaving
timeout: {timeout}
criteria:
  1: it does what is asked
steps:
{steps}
"""


class MisbehavingTest(HarnessTest):
    def write(self, steps, name="case", timeout="20s"):
        text = SCENARIO.format(name=name, timeout=timeout, steps=steps)
        file = self.path / f"{name}.yaml"
        file.write_text(text)
        return str(file)

    def command(self, file, how, *more, provider="native"):
        return [HARNESS, "run", file, "--root", ROOT, "--out", str(self.path / "runs"), "--provider",
                provider, "--set", f"target.vars.how={how}", *more]

    def begin_harness(self, file, how, *more):
        return subprocess.Popen(self.command(file, how, *more), env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run_harness(self, file, how, *more, seconds=20):
        begin = time.monotonic()
        done = subprocess.run(self.command(file, how, *more), env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60 * PATIENCE)
        self.assertLess(time.monotonic() - begin, seconds * PATIENCE, done.stdout)
        self.assert_nothing_left(done.stdout)
        return done

    def assert_nothing_left(self, output=""):
        sandboxes = list((self.path / "tmp").iterdir())
        self.assertEqual(sandboxes, [], output)
        self.assertEqual(self.sandbox_processes(), [], output)

    def sandbox_processes(self):
        """Whoever has its working folder, HOME or arguments in our temporary folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                folder = os.readlink(entry / "cwd")
                environment = (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            ours = self.folder.name.encode()
            if state != "Z" and (folder.startswith(str(self.path / "tmp"))
                                 or b"HOME=" + ours + b"/tmp" in environment):
                found.append(entry.name)
        return found

    def verdict(self):
        return json.loads((self.path / "runs" / "latest" / "verdict.json").read_text())

    def finding(self, criterion):
        found = [f for f in self.verdict()["findings"] if f["criterion"] == criterion]
        self.assertEqual(len(found), 1)
        return found[0]

    def history(self):
        files = sorted((self.path / "runs").glob("*/history.jsonl")) if (
            self.path / "runs").exists() else []
        if not files:
            return []
        lines = files[-1].read_text(errors="replace").splitlines()
        events = []
        for line in lines:
            try:
                events.append(json.loads(line))
            except ValueError:
                break
        return events

    def patient(self):
        """The same target, with time to get ready and to leave."""
        text = (pathlib.Path(ROOT) / "fixtures/targets/misbehaving.yaml").read_text()
        file = self.path / "patient.yaml"
        file.write_text(text.replace("timeout: 2s", "timeout: 50s")
                        .replace("shutdown_timeout: 1s", "shutdown_timeout: 30s"))
        return ["--target", str(file)]
