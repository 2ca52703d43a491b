#!/usr/bin/env python3
"""The daemon where memory is short: what clients announce costs nothing, and where what they send finds
no room they are refused, one by one; the daemon lives and serves the others.

usage: little_memory_test.py AIMA [unittest arguments]
"""
import contextlib
import http.client
import json
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

AIMA = ""
MEGABYTE = 1 << 20
BODY = 10 * MEGABYTE
HEAD = (b"POST /api/model/create HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n" % BODY)


class LittleMemory(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="aima-memory-"))
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            self.daemon = subprocess.Popen(
                [AIMA, "start", "--addr", "127.0.0.1:0", "--data-dir", str(self.folder / "data"),
                 "--provider", "native"], stderr=log)
        end = time.monotonic() + 30
        found = None
        while not found and time.monotonic() < end and self.daemon.poll() is None:
            found = re.search(r"listening on http://127.0.0.1:(\d+)\n", self.log())
        self.assertTrue(found, self.log())
        self.port = int(found[1])
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.close()
        self.daemon.kill()
        self.daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return (self.folder / "log").read_text()

    def leave_room_for(self, megabytes):
        status = pathlib.Path(f"/proc/{self.daemon.pid}/status").read_text()
        used = int(re.search(r"VmSize:\s+(\d+)", status)[1]) * 1024
        most = used + megabytes * MEGABYTE
        resource.prlimit(self.daemon.pid, resource.RLIMIT_AS, (most, most))

    def client(self):
        self.clients.append(socket.create_connection(("127.0.0.1", self.port), timeout=60))
        return self.clients[-1]

    def create(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/api/model/create", json.dumps({"name": name}))
        status = connection.getresponse().status
        connection.close()
        return status

    def test_what_is_announced_costs_nothing(self):
        self.leave_room_for(80)
        for _ in range(40):
            client = self.client()
            client.sendall(HEAD + b"Expect: 100-continue\r\n\r\n{")
            self.assertIn(b"100 Continue", client.recv(4096), self.log())
        self.assertEqual(self.create("other"), 200, self.log())

    def test_what_finds_no_room_is_refused_and_nobody_else(self):
        self.leave_room_for(80)
        refused = 0
        for _ in range(40):
            client = self.client()
            # Not whole, so that each keeps what it has sent; who is refused is closed.
            with contextlib.suppress(OSError):
                client.sendall(HEAD + b"\r\n" + b" " * (BODY - MEGABYTE))
        end = time.monotonic() + 60
        while not refused and time.monotonic() < end and self.daemon.poll() is None:
            refused = self.log().count("out of memory")
        self.assertGreater(refused, 0, self.log())
        self.assertIsNone(self.daemon.poll(), self.log())
        for client in self.clients:
            client.close()
        while self.create("other") != 200:
            self.assertLess(time.monotonic(), end, self.log())
        self.daemon.terminate()
        self.assertEqual(self.daemon.wait(60), 0, self.log())


if __name__ == "__main__":
    AIMA = sys.argv.pop(1)
    unittest.main()
