"""For the tests beside this file: `aima doctor`, the real command, on a data folder of its own.

Imported before anything reads sys.argv: AIMA ENGINE are taken from it, what is left is unittest's.
Whatever the doctor looks at must be the same afterwards.
"""
import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ci"))
import ports  # noqa: E402  pylint: disable=wrong-import-position

AIMA, ENGINE = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
PATIENCE = 20


def state_of(folder):
    """Every byte, mode, size and time of change below a folder."""
    facts = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        facts[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns,
                            hashlib.sha256(path.read_bytes()).hexdigest()
                            if path.is_file() and os.access(path, os.R_OK) else None)
    return facts


class DoctorTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="aima-examined-"))
        self.data = self.folder / "data"
        (self.folder / "tmp").mkdir()
        self.port = ports.reserve()
        first = ports.reserve(5)
        self.ports = f"{first}-{first + 4}"
        self.daemon = None
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder),
                            "TMPDIR": str(self.folder / "tmp"), "AIMA_ENGINE_VLLM_COMMAND": ENGINE,
                            "AIMA_LABELS": f"aima.doctor={self.folder.name}"}
        self.config = self.folder / "aima.toml"
        self.settings()

    def settings(self, *more):
        self.config.write_text("\n".join([f'addr = "127.0.0.1:{self.port}"', 'provider = "native"',
                                          f'engine_ports = "{self.ports}"', *more, ""]))
        self.config.chmod(0o600)

    def tearDown(self):
        for name in (self.data / "instances").glob("*.json"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(json.loads(name.read_text())["pid"], signal.SIGKILL)
        self.end(signal.SIGKILL)
        left = [path.name for path in (self.folder / "tmp").iterdir()]
        shutil.rmtree(self.folder)
        self.assertEqual(left, [], "the doctor left a copy behind")

    def start(self):
        self.log = open(self.folder / "log", "wb")
        self.daemon = subprocess.Popen(
            [AIMA, "start", "--config", str(self.config), "--data-dir", str(self.data)],
            env=self.environment, stderr=self.log, stdin=subprocess.DEVNULL)
        limit = time.monotonic() + PATIENCE
        while b"listening on" not in (self.folder / "log").read_bytes():
            self.assertIsNone(self.daemon.poll(), (self.folder / "log").read_text())
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.01)  # between two questions

    def end(self, number):
        if self.daemon is None:
            return
        self.daemon.send_signal(number)
        self.daemon.wait(PATIENCE)
        self.log.close()
        self.daemon = None

    def aima(self, *words):
        done = subprocess.run([AIMA, *words, "--output", "json", "--server",
                               f"http://127.0.0.1:{self.port}"], env=self.environment,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return json.loads(done.stdout)

    def service(self):
        model = self.aima("model", "create", "--name", "m")
        service = self.aima("service", "create", "--model-id", model["id"])
        return self.aima("service", "start", service["id"], "--timeout", "20")

    def doctor(self, *words, status=None, unchanged=True, environment=None, named=True):
        before = state_of(self.data) if unchanged and self.data.is_dir() else None
        asked = ["--config", str(self.config), "--data-dir", str(self.data)] if named else []
        done = subprocess.run([AIMA, "doctor", *asked, *words, "--output", "json"],
                              env=self.environment | (environment or {}), capture_output=True,
                              timeout=60, check=False)
        self.assertEqual(done.stderr, b"")
        report = json.loads(done.stdout)
        self.rows = {item["check"]: item for item in report["items"]}
        expected = {"ok": 0, "warning": 1, "broken": 2}[report["result"]]
        self.assertEqual(done.returncode, expected)
        if status is not None:
            self.assertEqual(done.returncode, status, json.dumps(report, indent=1))
        if before is not None:
            self.assertEqual(state_of(self.data), before, "the doctor changed what it looked at")
        return report

    def only(self, check, result, *words):
        """This check alone is not well, and its text has the words."""
        wrong = {name for name, row in self.rows.items() if row["result"] not in ("ok", "skipped")}
        self.assertEqual(wrong, {check}, json.dumps(self.rows, indent=1))
        row = self.rows[check]
        self.assertEqual(row["result"], result)
        text = row["found"] + " " + " ".join(row["details"])
        for word in words:
            self.assertIn(word, text)
        self.assertNotEqual(row["advice"], "")

    def filled(self):
        """A store with a row in each domain, left by a daemon that was killed: its WAL is there."""
        self.settings("[stores]", 'all = "sqlite"')
        self.start()
        model = self.aima("model", "create", "--name", "m")
        self.aima("service", "create", "--model-id", model["id"])
        self.aima("catalog", "create", "--name", "r", "--engine-type", "vllm")
        self.aima("skill", "create", "--name", "s")
        self.aima("pipeline", "create", "--name", "p", "--steps", '[{"id":"a","unit":"model.list"}]')
        self.aima("alert", "create", "--name", "a", "--condition", "x > 1")
        self.end(signal.SIGKILL)

    def database(self):
        self.start()  # a start and a clean stop bring the log into the database
        self.end(signal.SIGTERM)
        return sqlite3.connect(self.data / "aima.db", isolation_level=None)
