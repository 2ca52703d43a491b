"""Runs the rows of ci/hostile-runs: each mishap, and what is left after it."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from hostile_runs.bystanders import Bystanders
from hostile_runs.counting import COUNT
from hostile_runs.hanging_engine import HangingEngine
from hostile_runs.rows import MANNERS, TIMES

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZERS = {key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}
SCENARIO = """scenario: hostile
title: hostile
target: {target}
timeout: 40s
criteria:
  1: it is looked at
steps:
{steps}"""


class Hostile:
    def __init__(self, options):
        self.options = options
        self.harness = str(options.bin / "aima-harness")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hostile-"))
        self.tmp = self.folder / "tmp"
        self.tmp.mkdir()
        self.bystanders = Bystanders(self.tmp, options.provider == "docker")
        self.count = {"ignore": set(), "globs": ["/tmp/*", "/var/tmp/*", "/dev/shm/*", "/run/*"],
                      "settle": 5.0, "exact": True,
                      "socket": "/var/run/docker.sock" if options.provider == "docker" else "/none"}
        self.rows = self.leftovers = 0
        self.trouble = []

    def environment(self):
        return SANITIZERS | {"PATH": os.environ["PATH"], "HOME": str(self.folder),
                             "TMPDIR": str(self.tmp), "NO_COLOR": "1"}

    @staticmethod
    def times(row):  # to `flees` it is a mark: ours
        return os.getpid() if row.manner == "flees" else TIMES.get(row.manner, 0)

    def command(self, row, number=0):
        file = self.folder / f"hostile-{number}.yaml"
        file.write_text(SCENARIO.format(target=row.target, steps=row.steps))
        words = [self.harness, "run", str(file), "--root", str(ROOT), "--out", str(self.folder / "runs"),
                 "--provider", self.options.provider, "--contain", self.options.contain]
        if row.target == "misbehaving":
            words += ["--set", f"target.vars.how={row.manner}",
                      "--set", f"target.vars.times={self.times(row)}"]
        return words

    def history(self):
        events = []
        for file in (self.folder / "runs").glob("*/history.jsonl"):
            for line in file.read_text(errors="replace").splitlines():
                try:
                    events.append(json.loads(line))
                except ValueError:
                    break
        return events

    def until(self, process, holds):
        deadline = time.monotonic() + 20
        while process.poll() is None and not holds():
            if time.monotonic() > deadline:
                self.trouble.append("the run never came as far as its mishap")
                return
            time.sleep(0.003)

    def at_step(self, step):
        return lambda: any(e["event"] == "step.begin" and e["step"] == step for e in self.history())

    def start(self, row, number=0, **more):
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.STDOUT)
        more.setdefault("env", self.environment())
        process = subprocess.Popen(self.command(row, number), text=True, **more)
        self.pids.add(process.pid)
        return process

    def finish(self, process, most=60):
        try:
            output, _ = process.communicate(timeout=most)
        except subprocess.TimeoutExpired:
            process.kill()
            self.trouble.append(f"it did not end within {most} s")
            output, _ = process.communicate()
        return process.returncode, output or ""

    @staticmethod
    def as_it_ends(row):
        """By step 3 the file has not come: a run that ends before its mishap reaches it has failed."""
        return MANNERS[row.manner] | ({1} if row.step == "3" and row.target == "misbehaving" else set())

    # Each mishap: runs the row, answers the exit status, the output and the statuses it may have.

    def none(self, row):
        return *self.finish(self.start(row)), row.allowed or MANNERS[row.manner]

    def killed(self, row):
        process = self.start(row)
        self.until(process, self.at_step(row.step))
        process.kill()
        return *self.finish(process), {-signal.SIGKILL} | self.as_it_ends(row)

    def interrupted(self, row):
        times = int(row.mishap.split("×")[1])
        process = self.start(row)
        self.until(process, self.at_step(row.step))
        for _ in range(times):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                time.sleep(0.02)  # two of the same signal that are pending at once are one
        allowed = {130} | ({-signal.SIGINT} if times > 2 else set()) | ({1} & MANNERS[row.manner])
        return *self.finish(process), allowed | (self.as_it_ends(row) if row.step == "3" else set())

    def stopped(self, row):
        process = self.start(row)
        self.until(process, self.at_step(row.step))
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.8)  # longer than all that the run waits for
        process.send_signal(signal.SIGCONT)
        status, output = self.finish(process)
        if not any(e["event"] == "harness.late" for e in self.history()):
            self.trouble.append("the history does not say that the harness stood still")
        return status, output, row.allowed

    def disk_full(self, row):
        place = self.folder / "runs" if "runs" in row.mishap else self.tmp / "small"
        place.mkdir(exist_ok=True)
        fills = "fills" in row.mishap  # in the middle of the run, not from its start
        size = "4m" if fills else "12k" if "runs" in row.mishap else "4k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "small", str(place)],
                              check=False, stderr=subprocess.DEVNULL)
        if done.returncode != 0:
            return None, "", set()
        try:
            environment = self.environment()
            if "sandbox" in row.mishap:
                environment["TMPDIR"] = str(place)
            process = self.start(row, env=environment)
            filler = place / "filler"
            if fills:
                self.until(process, self.at_step("2"))
                with open(filler, "wb", buffering=0) as file:
                    try:
                        while True:
                            file.write(bytes(4096))
                    except OSError:
                        pass  # full now
            status, output = self.finish(process)
            filler.unlink(missing_ok=True)
            # A sandbox that fills up is nothing to a daemon that writes nothing more.
            allowed = MANNERS[row.manner] if row.mishap == "disk fills (sandbox)" else {3}
            if 3 in allowed and not re.search(r"[Nn]o space left|disk full|cannot (write|make)", output):
                self.trouble.append("no message says that the disk is full")
            left = [p.name for p in place.iterdir()] if "sandbox" in row.mishap else []
            if left:
                self.trouble.append(f"left on the full disk: {left}")
        finally:
            subprocess.run(["umount", str(place)], check=True)
        if "sandbox" in row.mishap:
            place.rmdir()
        return status, output, allowed

    def output_closed(self, row):
        process = self.start(row, stdout=None, stderr=None,
                             preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
        status, output = self.finish(process)
        runs = [p for p in (self.folder / "runs").glob("*") if not p.is_symlink()]
        judged = subprocess.run([self.harness, "judge", str(runs[0]), "--root", str(ROOT), "--out",
                                 str(self.folder / "runs")], env=self.environment(), check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if judged.returncode not in MANNERS[row.manner]:
            self.trouble.append(f"the stored run is judged {judged.returncode}: {judged.stdout[-300:]}")
        return status, output, {3}

    def output_unread(self, row):
        process = self.start(row)
        process.stdout.close()
        process.wait(timeout=60)
        return process.returncode, "", {3}

    def two_at_once(self, row):
        both = [self.start(row, 0), self.start(row, 1)]
        ended = [self.finish(process) for process in both]
        worst = max(status for status, _ in ended)
        return worst, ended[0][1] + ended[1][1], row.allowed or MANNERS[row.manner]

    def engine_hangs(self, row):
        """It answers until the service runs, and never again till the harness has ended."""
        engine = HangingEngine(str(self.folder / "engine.sock"))
        try:
            environment = self.environment() | {"DOCKER_HOST": f"unix://{engine.path}"}
            process = self.start(row, env=environment)
            self.until(process, self.at_step("5"))
            engine.hanging.set()
            process.send_signal(signal.SIGTERM)
            status, output = self.finish(process, 120)
            engine.hanging.clear()
            self.clean()
        finally:
            engine.close()
            os.unlink(engine.path)
        return status, output, {6, 3, 1, 128 + signal.SIGTERM}

    def clean(self):
        done = subprocess.run([self.harness, "clean", "--root", str(ROOT)], env=self.environment(),
                              text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            self.trouble.append(f"clean ended with {done.returncode}: {done.stdout[-500:]}")

    def groups(self):
        """Cgroups of harnesses that this script started and that are gone."""
        if not self.bystanders.group:
            return set()
        return {p.name for p in self.bystanders.group.parent.glob("aima-run-*") if p.is_dir()
                and (m := re.search(r"\.(\d+)\.\d+\.\d+$", p.name)) and int(m.group(1)) in self.pids}

    def run(self, row):
        how = {"none": self.none, "killed": self.killed, "stopped": self.stopped,
               "output closed": self.output_closed, "output unread": self.output_unread,
               "two at once": self.two_at_once, "engine hangs": self.engine_hangs}
        act = how.get(row.mishap) or (self.disk_full if "disk" in row.mishap else self.interrupted)
        self.trouble, self.pids = [], set()
        shutil.rmtree(self.folder / "runs", ignore_errors=True)
        (self.folder / "runs").mkdir()
        before = COUNT.look(self.count)
        begin = time.monotonic()
        status, output, allowed = act(row)
        if status is None:
            print(f"  skip  {row}: tmpfs cannot be mounted")
            return
        if status < 0 or status == 6:
            self.clean()
        left = COUNT.settle(before, self.count)
        if row.manner == "flees":  # it is never twice the same: one look may miss it
            left += [f"process {pid}: {one['command']}" for _ in range(20)
                     for pid, one in COUNT.processes().items()
                     if one["command"] == f"misbehaving-daemon fleeing --times {os.getpid()}"][:1]
        left += [f"folder {p.name}" for p in self.tmp.iterdir() if p.name not in self.bystanders.names()]
        left += [f"cgroup {name}" for name in self.groups()]
        if status not in allowed:
            self.trouble.append(f"exit status {status}, expected {sorted(allowed)}")
        harmed = self.bystanders.harmed()
        self.rows += 1
        self.leftovers += len(left)
        bad = left + self.trouble + harmed
        print(f"  {'BAD ' if bad else 'ok  '}  {row}: exit {status}, {time.monotonic() - begin:.1f} s",
              flush=True)
        for line in bad:
            print(f"        {line}")
        if bad:
            print("        " + output[-1500:].replace("\n", "\n        "))
            self.failed = True

    failed = False

    def end(self):
        self.bystanders.end()
        shutil.rmtree(self.folder, ignore_errors=True)
