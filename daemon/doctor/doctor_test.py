#!/usr/bin/env python3
"""aima doctor on healthy machines, on settings, addresses and folders that are wrong.

usage: doctor_test.py AIMA ENGINE [unittest arguments]
"""
import contextlib
import http.server
import os
import signal
import socket
import subprocess
import threading
import unittest

from examined import AIMA, DoctorTest, ports


class Doctor(DoctorTest):
    def test_a_machine_that_never_ran_one(self):
        self.doctor(status=0)
        self.assertEqual(list(self.rows), ["config", "daemon", "folder", "store", "wal", "services",
                                           "provider", "address", "ports", "disk", "clock"])
        self.assertIn("is not there yet", self.rows["folder"]["found"])
        self.assertFalse(self.data.exists(), "the doctor made the folder")

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

    def test_people_and_yaml(self):
        for words, begins in (([], b"ok       config"), (["--output", "yaml"], b"result: ok\n")):
            done = subprocess.run([AIMA, "doctor", "--config", str(self.config), "--data-dir",
                                   str(self.data), *words], env=self.environment,
                                  capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertTrue(done.stdout.startswith(begins), done.stdout)
        self.assertIn(b"total: 11", done.stdout)

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


if __name__ == "__main__":
    unittest.main()
