"""The real daemon for the scripts that harm its store: started, asked, killed; and its files as
sqlite3 sees them. Imported by ci/store-faults and ci/store-neighbours."""
import http.client
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import ports

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures" / "databases"
DEADLINE_S = 60
UNSHARED = "AIMA_STORE_TEST_UNSHARED"


def in_own_mounts():
    """Runs this script again with mounts of its own: what it mounts ends with it. False: cannot."""
    if os.environ.get(UNSHARED) == "1":
        return True
    if os.geteuid() != 0:
        return False
    words = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
    os.execvpe("unshare", words, {**os.environ, UNSHARED: "1"})
    return False


def mount_tmpfs(folder, size):
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)],
                   check=True)


def free_bytes(folder):
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


def fill(folder, leave=0):
    """A ballast file that leaves `leave` bytes of the file system."""
    ballast = folder / "ballast"
    with open(ballast, "ab", buffering=0) as file:
        while free_bytes(folder) > leave:
            try:
                file.write(b"x" * max(4096, min(65536, free_bytes(folder) - leave)))
            except OSError:
                break
    return ballast


def rows(database, sql):
    """As the sqlite3 of Python reads it, beside the daemon."""
    connection = sqlite3.connect(database, timeout=10)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


class Daemon:
    """`prefix` runs before it (strace …); `log` is where its stderr goes."""

    def __init__(self, binary, data, home, prefix=(), log=None, wait=True):
        self.data, self.home = Path(data), Path(home)
        self.log_path = Path(log) if log else self.home / "log"
        self.port = ports.reserve()  # asked before it says which
        self.traced = bool(prefix)
        with open(self.log_path, "wb") as out:
            self.process = subprocess.Popen(
                [*map(str, prefix), str(binary), "start", "--addr", f"127.0.0.1:{self.port}",
                 "--data-dir", str(self.data), "--stores", "all=sqlite", "--provider", "native"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=out,
                env={"HOME": str(self.home), "PATH": os.environ["PATH"],
                     "ASAN_OPTIONS": "detect_leaks=0"})
        if wait and not self.wait_ready():
            raise RuntimeError(f"the daemon ended with {self.process.returncode}:\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def pid(self):
        if not self.traced:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def wait_ready(self):
        """True once it answers, False if it ended instead."""
        def answers():
            try:
                return self.ask("GET", "/health")[0] == 200
            except OSError:
                return False
        wait_for(lambda: self.process.poll() is not None or answers(), "the daemon's answer")
        return self.process.poll() is None

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json", "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def create(self, name, size=0):
        """A recipe, for its free `config`: `size` bytes of it."""
        body = {"name": name, "engine_type": "vllm", "hardware": {}, "config": {"bulk": "x" * size}}
        return self.ask("POST", "/api/catalog/create", body)

    def total(self):
        status, page = self.ask("GET", "/api/catalog/list?limit=1")
        if status != 200:
            raise RuntimeError(f"catalog.list answers {status}: {page}")
        return page["total"]

    def ready(self):
        return self.ask("GET", "/ready")

    def stop(self):
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            os.kill(self.pid(), 15)
        return self.process.wait(DEADLINE_S)

    def kill(self):
        if self.process.poll() is None:
            os.kill(self.pid(), 9)
        self.process.wait(DEADLINE_S)


class Clients:
    """Threads that create recipes until told to end; what each was answered."""

    def __init__(self, daemon, count, size, most=10**9):
        self.daemon, self.size, self.most = daemon, size, most
        self.lock, self.number, self.ending = threading.Lock(), 0, False
        self.answers = []  # (name, status, error, seconds)
        self.threads = [threading.Thread(target=self.work) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while True:
            with self.lock:
                if self.ending or self.number >= self.most:
                    return
                self.number += 1
                name = f"made-{id(self)}-{self.number}"
            began = time.monotonic()
            try:
                status, body = self.daemon.create(name, self.size)
            except (OSError, http.client.HTTPException) as trouble:
                status, body = 0, str(trouble)
            with self.lock:
                self.answers.append((name, status, body, time.monotonic() - began))

    def statuses(self):
        with self.lock:
            found = {}
            for _, status, _, _ in self.answers:
                found[status] = found.get(status, 0) + 1
            return found

    def end(self, early=True):
        self.ending = early
        for thread in self.threads:
            thread.join()
        return self

    def made(self):
        with self.lock:
            return {name for name, status, _, _ in self.answers if status == 200}


def wait_for(condition, what, seconds=DEADLINE_S):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come within {seconds} s")
        time.sleep(0.02)


def expect(good, what, seen=None):
    if not good:
        raise RuntimeError(f"{what}{'' if seen is None else f'; seen: {seen!r}'}")


def same_rows(database, made, maybe=()):
    """Every acknowledged name is in the file, and nothing that was refused."""
    there = {name for (name,) in rows(database, "SELECT name FROM recipes WHERE name LIKE 'made-%'")}
    lost = set(made) - there
    extra = there - set(made) - set(maybe)
    expect(not lost, f"{len(lost)} acknowledged rows are not in the file", sorted(lost)[:5])
    expect(not extra, f"{len(extra)} refused rows are in the file", sorted(extra)[:5])
    (verdict,) = rows(database, "PRAGMA integrity_check")[0]
    expect(verdict == "ok", "integrity_check", verdict)


def run_cases(cases, wanted, binary):
    """Each case is function(binary, home); the first line of its text is what it shows."""
    import shutil
    import tempfile
    failed = 0
    for case in cases:
        name = case.__name__.replace("_", "-")
        if wanted and name not in wanted:
            continue
        home = Path(tempfile.mkdtemp(prefix="aima-store-"))
        began = time.monotonic()
        try:
            told = case(binary, home)
            print(f"ok     {name}: {told} ({time.monotonic() - began:.1f} s)", flush=True)
        except (RuntimeError, OSError, sqlite3.Error, http.client.HTTPException,
                subprocess.SubprocessError) as trouble:
            failed += 1
            log = home / "log"
            tail = log.read_text(errors="replace")[-1500:] if log.exists() else ""
            print(f"FAILED {name}: {trouble}\n{tail}", flush=True)
        finally:
            for daemon in Daemons.running:
                daemon.kill()
            Daemons.running.clear()
            subprocess.run(["umount", "-R", "-q", str(home / "disk")], check=False)
            shutil.rmtree(home, ignore_errors=True)
    return 1 if failed else 0


class Daemons:
    """Those of the running case, so that none outlives it."""
    running = []

    @classmethod
    def start(cls, *words, **named):
        daemon = Daemon(*words, **{**named, "wait": False})
        cls.running.append(daemon)
        if named.get("wait", True) and not daemon.wait_ready():
            raise RuntimeError(f"the daemon ended with {daemon.process.returncode}: {daemon.log()}")
        return daemon
