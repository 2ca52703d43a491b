"""Whom no run of ci/hostile-runs may touch: processes, folders, a cgroup and containers that look alike."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

from hostile_runs.counting import COUNT


class Bystanders:
    """Whoever must live on, whatever happens."""

    def __init__(self, folder, engine):
        self.folder, self.engine, self.processes, self.paths = folder, engine, {}, []
        plain = {"PATH": os.environ["PATH"]}
        sleep = shutil.which("sleep")
        for name, words, environment, session in (
                ("marked with another run", ["sleep", "100000"], {"AIMA_RUN": "0123456789ab"}, True),
                ("with a mark that is empty", ["sleep", "100001"], {"AIMA_RUN": ""}, True),
                ("named like a daemon", ["misbehaving-daemon", "100002"], {}, True),
                ("named like a sandbox", ["aima-run-0123456789ab", "100003"], {}, True),
                ("in the harness's session", ["sleep", "100004"], {}, False)):
            child = subprocess.Popen(words, executable=sleep, env=plain | environment, cwd=folder,
                                     start_new_session=session)
            self.processes[name] = (child, COUNT.processes()[child.pid]["start"])
        owner = self.processes["marked with another run"]
        self.make_folders(owner)
        self.group = self.make_group(owner)
        self.containers = self.make_containers()

    def make_folders(self, owner):
        living = self.folder / "aima-run-bystander"
        living.mkdir()
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (living / "run.json").write_text(json.dumps(
            {"run_id": "bystander", "pid": owner[0].pid, "start_ticks": int(owner[1]), "boot_id": boot}))
        alike = self.folder / "aima-runs-of-mine"
        alike.mkdir()
        (alike / "precious").write_text("mine")
        self.paths = [living / "run.json", alike / "precious"]

    def make_group(self, owner):
        mounted = re.search(r" (\S+) \S+ - cgroup2 ", " " + pathlib.Path("/proc/self/mountinfo").read_text())
        if not mounted:
            return None
        namespace = os.stat("/proc/self/ns/pid").st_ino
        root = pathlib.Path(mounted.group(1))
        group = root / f"aima-run-bystander{os.getpid()}.{owner[0].pid}.{owner[1]}.{namespace}"
        try:
            group.mkdir()
            (group / "cgroup.procs").write_text(str(owner[0].pid))
        except OSError:
            return None
        return group

    def make_containers(self):
        if not self.engine:
            return []
        made = []
        for label in ("aima.run=0123456789ab", "aima.run.0123456789ab=yes", "aima.runs=0123456789ab"):
            made.append(subprocess.run(["docker", "run", "-d", "--rm", "--label", label,
                                        "aima-fixture-engine"], check=True, text=True,
                                       stdout=subprocess.PIPE).stdout.strip())
        return made

    def names(self):
        return {path.parent.name for path in self.paths}

    def harmed(self):
        lines = []
        running = COUNT.processes()
        for name, (child, start) in self.processes.items():
            now = running.get(child.pid)
            if not now or now["start"] != start or now["state"] not in "SR":
                lines.append(f"the process {name} ({child.pid}) is no longer what it was: {now}")
        lines += [f"{path} is gone" for path in self.paths if not path.exists()]
        if self.group and not self.group.exists():
            lines.append(f"the cgroup {self.group} is gone")
        if self.containers:
            listed = COUNT.containers("/var/run/docker.sock") or {}
            lines += [f"the container {one[:12]} is {listed.get(one, {}).get('state', 'gone')}"
                      for one in self.containers if listed.get(one, {}).get("state") != "running"]
        return lines

    def end(self):
        for one in self.containers:
            subprocess.run(["docker", "rm", "-f", one], check=False, stdout=subprocess.DEVNULL)
        for child, _ in self.processes.values():
            child.kill()
            child.wait()
        if self.group:
            deadline = time.monotonic() + 5
            while self.group.exists() and time.monotonic() < deadline:
                try:
                    self.group.rmdir()
                except OSError:
                    time.sleep(0.01)
