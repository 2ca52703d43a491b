"""For the tests beside this file of hostile input: a clear answer in bounded time, memory and disk.

Peak memory is what the kernel says of the harness itself (wait4). Needs no container engine.
"""
import json
import os
import resource
import subprocess
import threading
import time

from outside import HARNESS, PATIENCE, ROOT, SANITIZERS, HarnessTest

MIB = 1 << 20
GIB = 1 << 30
# Of a harness that is given nothing hostile: some 25 MiB. A sanitizer's own shadow is not counted.
MEMORY = 150 * MIB if not SANITIZERS else 4 * GIB
DISK = 24 * MIB
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

HEAD = """scenario: hostile
title: hostile
target: misbehaving
timeout: {timeout}
criteria:
  1: it does what is asked
steps:
"""
GOOD = HEAD.format(timeout="20s") + "  - start: {}\n    criterion: 1\n"


class HostileTest(HarnessTest):
    def call(self, *arguments, status=None, seconds=20, memory=MEMORY):
        """Runs the harness; its output. Asserts exit status, time and peak memory."""
        seconds *= PATIENCE
        begin = time.monotonic()
        with open(self.path / "output", "w+b") as output:
            process = subprocess.Popen([HARNESS, *map(str, arguments)], env=self.environment,
                                       cwd=self.path, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT)
            killer = threading.Timer(seconds + 40, process.kill)
            killer.start()
            _, how, usage = os.wait4(process.pid, 0)
            killer.cancel()
            process.returncode = os.waitstatus_to_exitcode(how)
            size = output.tell()
            output.seek(0)
            self.output = output.read(MIB).decode(errors="replace")
        self.took = time.monotonic() - begin
        self.peak = usage.ru_maxrss * 1024
        said = self.output[:3000] + self.output[-1500:]
        self.assertLess(size, MIB, "the output itself: " + said)
        if status is not None:
            wanted = status if isinstance(status, tuple) else (status,)
            self.assertIn(process.returncode, wanted, said)
        self.assertGreaterEqual(process.returncode, 0, said)
        self.assertLess(self.took, seconds, said)
        self.assertLess(self.peak, memory, f"{self.peak / MIB:.0f} MiB; {said}")
        return self.output

    def write(self, text, name="case.yaml"):
        file = self.path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def check(self, text, *words, status=4, **more):
        said = self.call("check", self.write(text), "--root", ROOT, status=status, **more)
        for word in words:
            self.assertIn(word, said)

    def run_steps(self, steps, *more, how="behaves", status=0, timeout=20, **bounds):
        file = self.write(HEAD.format(timeout=f"{timeout * PATIENCE}s") + steps)
        said = self.call("run", file, "--root", ROOT, "--out", self.path / "runs", "--provider",
                         "native", "--set", f"target.vars.how={how}", *more, status=status, **bounds)
        latest = self.path / "runs" / "latest"
        if latest.exists():
            self.verdict = json.loads((latest / "verdict.json").read_text())
        for folder in (self.path / "runs", self.path / "tmp"):
            size = sum(file.stat().st_blocks * 512 for file in folder.rglob("*")
                       if file.is_file() and not file.is_symlink())
            self.assertLess(size, DISK, folder)
        return said

    def told(self, words):
        """In the verdict, where nothing is cut to the width of a line."""
        self.assertIn(words, json.dumps(self.verdict, ensure_ascii=False))

    def answer(self, criterion="1"):
        return next(f["answer"].lower() for f in self.verdict["findings"]
                    if f["criterion"] == criterion)
