#!/usr/bin/env python3
"""aima doctor, the real command, on healthy folders and on each thing that may be wrong:
doctor_test.py AIMA ENGINE [unittest arguments]. Whatever it looks at must be the same afterwards."""
import contextlib
import hashlib
import http.server
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ci"))
import ports  # pylint: disable=wrong-import-position

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


class Doctor(unittest.TestCase):
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

    # What is well

    def test_a_machine_that_never_ran_one(self):
        self.doctor(status=0)
        self.assertEqual(list(self.rows), ["config", "daemon", "folder", "store", "wal", "services",
                                           "provider", "address", "ports", "disk", "clock"])
        self.assertIn("is not there yet", self.rows["folder"]["found"])
        self.assertFalse(self.data.exists(), "the doctor made the folder")

    def test_what_a_killed_daemon_left(self):
        self.filled()
        self.assertTrue((self.data / "aima.db-wal").exists())
        self.doctor(status=0)
        self.assertIn("models 1, services 1, recipes 1", self.rows["store"]["found"])
        self.assertIn("was killed", self.rows["wal"]["found"])

    def test_a_running_daemon_is_asked(self):
        self.start()
        self.service()
        self.doctor(status=0, unchanged=False)
        self.assertIn(f"process {self.daemon.pid}", self.rows["daemon"]["found"])
        self.assertIn("1 services, 1 engines", self.rows["services"]["found"])
        # With nothing named, the folder is the daemon's own.
        report = self.doctor("--server", f"http://127.0.0.1:{self.port}", status=0, named=False,
                             unchanged=False)
        self.assertEqual(report["data_dir"], str(self.data))

    def test_a_daemon_that_takes_any_port(self):
        self.port = 0
        self.settings()
        self.doctor(status=0)
        self.assertIn("any port", self.rows["daemon"]["found"])
        self.start()
        self.doctor(status=2, unchanged=False)
        self.only("daemon", "broken", "any port", f"aima (pid {self.daemon.pid}) uses the data folder")
        self.assertIn("--server", self.rows["daemon"]["advice"])
        self.port = int((self.folder / "log").read_text().rsplit("http://127.0.0.1:", 1)[1].split()[0])
        self.doctor("--server", f"http://127.0.0.1:{self.port}", status=0, unchanged=False)

    def test_engines_of_a_killed_daemon_run_on(self):
        self.start()
        self.service()
        self.end(signal.SIGKILL)
        self.doctor(status=0)
        self.assertIn("1 services, 1 engines: rows and engines agree", self.rows["services"]["found"])

    def test_people_and_yaml(self):
        for words, begins in (([], b"ok       config"), (["--output", "yaml"], b"result: ok\n")):
            done = subprocess.run([AIMA, "doctor", "--config", str(self.config), "--data-dir",
                                   str(self.data), *words], env=self.environment,
                                  capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertTrue(done.stdout.startswith(begins), done.stdout)
        self.assertIn(b"total: 11", done.stdout)

    # What is not

    def test_damage(self):
        self.filled()
        with self.database():
            pass
        whole = (self.data / "aima.db").read_bytes()
        page = int.from_bytes(whole[16:18], "big")
        for name, text, word in (
                ("a page", whole[:page * 3] + b"\xff" * page + whole[page * 4:], "damaged"),
                ("the header", b"x" * 100 + whole[100:], "first 16 bytes"),
                ("zero length", b"", "the file is empty"),
                ("cut", whole[:page * 4 + 7], "multiple")):
            with self.subTest(name):
                (self.data / "aima.db").write_bytes(text)
                self.doctor(status=2)
                row = self.rows["store"]
                self.assertEqual(row["result"], "broken", row)
                self.assertIn(word, row["found"])
                self.assertNotIn("aima-doctor-", json.dumps(self.rows), "the copy is nobody's business")
        (self.data / "aima.db").unlink()
        (self.data / "aima.db-wal").write_bytes(b"x" * 32)
        (self.data / "aima.db-wal").chmod(0o600)
        self.doctor(status=2)
        self.assertIn("but no aima.db", self.rows["store"]["found"])

    def test_an_index_that_lost_a_row(self):
        self.filled()
        with contextlib.closing(self.database()) as database:
            database.execute("PRAGMA writable_schema=ON")
            database.execute("UPDATE sqlite_master SET rootpage=(SELECT rootpage FROM sqlite_master "
                             "WHERE name='models_type') WHERE name='models_status'")
        self.doctor(status=2)
        self.only("store", "broken", "damaged")

    def test_a_newer_schema(self):
        self.filled()
        with contextlib.closing(self.database()) as database:
            database.execute("PRAGMA user_version=99")
        self.doctor(status=2)
        self.assertIn("schema version 99", self.rows["store"]["found"])
        self.assertEqual(self.rows["store"]["advice"], "start the newer aima that wrote it")

    def test_a_row_whose_columns_drifted_from_its_object(self):
        self.filled()
        with contextlib.closing(self.database()) as database:
            database.execute("UPDATE models SET status='gone'")
            database.execute("UPDATE alerts SET body='{'")
        self.doctor(status=2)
        self.only("store", "broken", "models row model-", "alerts row alert-")

    def test_a_reference_to_nothing(self):
        self.filled()
        with contextlib.closing(self.database()) as database:
            database.execute("PRAGMA foreign_keys=OFF")
            database.execute("DELETE FROM models")
        self.doctor(status=2)
        self.only("store", "broken", "row of models that is not there".replace("row of ", ""))

    def test_locked_by_another_program(self):
        self.filled()
        with contextlib.closing(self.database()) as database:
            database.execute("BEGIN IMMEDIATE")
            # Closing a file that SQLite has open here would give its locks up: no look at the bytes.
            self.doctor(status=2, unchanged=False)
            self.only("store", "broken", "keeps it locked", f"(pid {os.getpid()})")
            database.execute("ROLLBACK")
        self.doctor(status=0)

    def test_a_log_without_bounds(self):
        self.filled()
        with open(self.data / "aima.db-wal", "r+b") as log:
            log.truncate(1 << 30)  # a hole: it takes no room
        self.doctor(status=1)
        self.only("wal", "warning", "1024 MiB", "over 64 MiB")

    def test_rows_that_drifted(self):
        self.start()
        service = self.service()
        self.end(signal.SIGKILL)
        record = self.data / "instances" / (service["id"] + ".json")
        os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
        limit = time.monotonic() + PATIENCE
        while True:  # it ends when the kernel says so
            self.doctor(unchanged=False)
            if self.rows["services"]["details"] or time.monotonic() > limit:
                break
        self.doctor(status=1)
        self.only("services", "warning", f"{service['id']} (m-vllm) reads running, but process")
        record.rename(record.with_name("svc-00000000.json"))
        self.doctor(status=1)
        self.only("services", "warning", "nothing carries its label", "no row for svc-00000000")
        record.with_name("svc-00000000.json").write_text("{")
        self.doctor(status=1)
        self.only("services", "warning", "is no instance file")

    def test_an_engine_that_dies_under_a_running_daemon_is_corrected(self):
        self.start()
        service = self.service()
        record = self.data / "instances" / (service["id"] + ".json")
        os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
        self.doctor(status=0, unchanged=False)

    def test_taken_ports(self):
        with socket.create_server(("127.0.0.1", self.port)):
            self.doctor(status=2)
            for check in ("daemon", "address"):
                self.assertEqual(self.rows[check]["result"], "broken")
            self.assertIn(f"process {os.getpid()}", self.rows["address"]["found"])
            self.assertIn("does not answer", self.rows["daemon"]["found"])
        first = int(self.ports.split("-")[0])
        with contextlib.ExitStack() as stack:
            for port in range(first, first + 5):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                self.doctor()
                self.assertIn(f"{port} is taken by process {os.getpid()}",
                              " ".join(self.rows["ports"]["details"]))
                self.assertEqual(self.rows["ports"]["result"], "ok" if port < first + 4 else "broken")
            self.only("ports", "broken", "0 of 5")

    def test_a_port_that_a_service_wants(self):
        first = int(self.ports.split("-")[0])
        self.start()
        model = self.aima("model", "create", "--name", "m")
        self.aima("service", "create", "--model-id", model["id"], "--port", str(first))
        self.end(signal.SIGTERM)
        with socket.create_server(("127.0.0.1", first)):
            self.doctor(status=1)
            self.only("ports", "warning", f"wants port {first}")

    def test_a_stranger_on_the_address(self):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<html>")

            def log_message(self, *words):
                pass

        server = http.server.HTTPServer(("127.0.0.1", self.port), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            self.doctor(status=2)
            self.assertIn("is no aima", self.rows["daemon"]["found"])
        finally:
            server.shutdown()
            server.server_close()

    def test_a_folder_that_another_daemon_uses(self):
        self.start()
        self.doctor("--server", f"http://127.0.0.1:{ports.reserve()}", status=2, unchanged=False)
        self.assertIn(f"aima (pid {self.daemon.pid}) uses the data folder",
                      self.rows["daemon"]["found"])
        self.assertEqual(self.rows["store"]["result"], "ok")
        self.settings("# stopped: it holds the lock and does not answer")
        self.daemon.send_signal(signal.SIGSTOP)
        try:
            self.doctor(status=2, unchanged=False)
            self.assertIn("does not answer", self.rows["daemon"]["found"])
        finally:
            self.daemon.send_signal(signal.SIGCONT)

    def test_a_dead_socket(self):
        dead = self.folder / "docker.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(dead))  # left behind: nobody listens
        host = {"DOCKER_HOST": f"unix://{dead}"}
        self.config.write_text(self.config.read_text().replace('"native"', '"docker"'))
        self.doctor(status=2, environment=host)
        self.only("provider", "broken", str(dead), "the settings demand it")
        self.config.write_text(self.config.read_text().replace('"docker"', '"auto"'))
        self.doctor(status=1, environment=host)
        self.only("provider", "warning", str(dead))
        self.doctor(status=1, environment={"DOCKER_HOST": "nonsense"})
        self.only("provider", "warning", "nonsense")

    def test_services_whose_provider_is_gone(self):
        self.start()
        self.service()
        self.end(signal.SIGTERM)
        with contextlib.closing(sqlite3.connect(self.data / "aima.db", isolation_level=None)) as database:
            database.execute("UPDATE services SET provider='docker', "
                             "body=json_set(body, '$.provider', 'docker')")
        self.doctor(status=2, environment={"DOCKER_HOST": f"unix://{self.folder}/none"})
        self.assertEqual(self.rows["provider"]["result"], "broken")
        self.assertIn("1 services run on it", self.rows["provider"]["found"])
        self.assertEqual(self.rows["services"]["result"], "warning")

    def test_permissions(self):
        self.filled()
        self.data.chmod(0o755)
        (self.data / "aima.db").chmod(0o644)
        self.doctor(status=1)
        self.only("folder", "warning", "(0755)", "aima.db (0644)")
        self.assertIn("chmod", self.rows["folder"]["advice"])
        self.data.chmod(0o700)
        (self.data / "aima.db").chmod(0o400)
        self.doctor(status=2)
        self.only("folder", "broken", "its owner may not write it", "aima.db (0400)")
        (self.data / "aima.db").chmod(0o600)
        if os.geteuid() == 0:
            os.chown(self.data / "aima.db-wal", 12345, 12345)
            self.doctor(status=2)
            self.only("folder", "broken", "belongs to user 12345")

    def test_a_link_to_a_database(self):
        self.filled()
        (self.folder / "disk").mkdir()
        for path in self.data.glob("aima.db*"):
            path.rename(self.folder / "disk" / path.name)
        (self.data / "aima.db").symlink_to(self.folder / "disk" / "aima.db")
        self.doctor()
        self.assertEqual(self.rows["folder"]["result"], "ok", "a link's own mode is always 0777")
        (self.folder / "disk").rename(self.folder / "not-mounted")
        self.doctor(status=2)
        for check in ("folder", "store"):
            self.assertEqual(self.rows[check]["result"], "broken", self.rows[check])
        self.assertIn("disk/aima.db", " ".join(self.rows["folder"]["details"]))
        self.assertIn("mount", self.rows["folder"]["advice"])

    def test_a_folder_that_is_none(self):
        self.data.write_text("")
        self.doctor(status=2)
        self.assertIn("is no folder", self.rows["folder"]["found"])

    def test_settings(self):
        self.settings("providr = 1")
        self.doctor(status=2)
        self.assertIn('unknown key "providr"', self.rows["config"]["found"])
        self.settings()
        self.doctor(status=2, environment={"AIMA_LABELS": "aima.service=x"})
        self.only("config", "broken", "AIMA_LABELS")
        self.config.chmod(0o666)
        self.doctor(status=1)
        self.only("config", "warning", "can be written by other users")

    def test_a_clock_that_went_back(self):
        self.filled()
        with contextlib.closing(self.database()) as database:
            database.execute("UPDATE models SET created_at='2099-01-01T00:00:00.000Z', "
                             "body=json_set(body, '$.created_at', '2099-01-01T00:00:00.000Z')")
        self.doctor(status=1)
        self.only("clock", "warning", "2099-01-01")

    def test_a_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("needs root: it mounts a small file system")
        self.data.mkdir()
        for options, word in (("size=8m", "MiB free"), ("size=900m,nr_inodes=12", "inodes")):
            script = (f"mount -t tmpfs -o mode=0700,{options} tmpfs '{self.data}' || exit 77; "
                      f"exec '{AIMA}' doctor --config '{self.config}' --data-dir '{self.data}' -o json")
            done = subprocess.run(["unshare", "--mount", "sh", "-c", script], env=self.environment,
                                  capture_output=True, check=False)
            if done.returncode in (1, 77) and not done.stdout:
                self.skipTest("no mount may be made here: " + done.stderr.decode())
            self.assertEqual(done.returncode, 2, done.stdout)
            self.rows = {item["check"]: item for item in json.loads(done.stdout)["items"]}
            self.only("disk", "broken", word)

    def test_containers(self):
        if not os.environ.get("AIMA_TEST_DOCKER"):
            self.skipTest("needs a container engine and the fixture image")
        self.config.write_text(self.config.read_text().replace('"native"', '"docker"'))
        self.environment["AIMA_ENGINE_VLLM_IMAGE"] = "aima-fixture-engine:latest"
        self.start()
        service = self.service()
        container = "aima-" + service["id"]
        try:
            self.doctor(status=0, unchanged=False)
            self.assertIn("1 services, 1 engines: rows and engines agree", self.rows["services"]["found"])
            self.end(signal.SIGKILL)
            self.doctor(status=0)
            seen = json.loads(subprocess.run(["docker", "inspect", container], capture_output=True,
                                             check=True).stdout)[0]
            self.assertTrue(seen["State"]["Running"], "the doctor touched a container")
            self.doctor(status=2, environment={"DOCKER_HOST": f"unix://{self.folder}/none"})
            self.assertIn("1 services run on it", self.rows["provider"]["found"])
        finally:
            subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=True)
        self.doctor(status=1)
        self.only("services", "warning", f"{service['id']} (m-vllm) reads running, but nothing carries")

    def test_no_room_for_a_copy(self):
        if os.geteuid() != 0:
            self.skipTest("needs root: it mounts a small file system")
        self.filled()
        script = (f"mount -t tmpfs -o size=1m tmpfs '{self.folder}/tmp' || exit 77; "
                  f"exec '{AIMA}' doctor --config '{self.config}' --data-dir '{self.data}' -o json")
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], env=self.environment,
                              capture_output=True, check=False)
        if done.returncode in (1, 77) and not done.stdout:
            self.skipTest("no mount may be made here: " + done.stderr.decode())
        self.rows = {item["check"]: item for item in json.loads(done.stdout)["items"]}
        self.assertIn("TMPDIR", self.rows["store"]["advice"])
        self.assertEqual(done.returncode, 1)

    def test_a_daemon_that_writes_is_never_called_damaged(self):
        self.start()
        stop = threading.Event()

        def write():
            for number in range(100000):
                if stop.is_set():
                    return
                self.aima("model", "create", "--name", f"m{number}", "--repo", "x" * 150)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(10):
                self.doctor(unchanged=False)
                self.assertNotEqual(self.rows["store"]["result"], "broken", self.rows["store"])
        finally:
            stop.set()
            writer.join()


if __name__ == "__main__":
    unittest.main()
