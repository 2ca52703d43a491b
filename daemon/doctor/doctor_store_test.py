#!/usr/bin/env python3
"""aima doctor on the store: damage, drift, locks, a full disk, and beside a daemon that writes.

usage: doctor_store_test.py AIMA ENGINE [unittest arguments]
"""
import contextlib
import json
import os
import subprocess
import threading
import unittest

from examined import AIMA, DoctorTest


class DoctorStore(DoctorTest):
    def test_what_a_killed_daemon_left(self):
        self.filled()
        self.assertTrue((self.data / "aima.db-wal").exists())
        self.doctor(status=0)
        self.assertIn("models 1, services 1, recipes 1", self.rows["store"]["found"])
        self.assertIn("was killed", self.rows["wal"]["found"])

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
