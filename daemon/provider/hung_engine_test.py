#!/usr/bin/env python3
"""The daemon itself while its container engine freezes, dies and comes back: a proxy stands in front of
the real engine and is stopped and killed in its place.

usage: hung_engine_test.py AIMA [unittest arguments]   (wants the image aima-fixture-engine:latest)
"""
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "ci"))
import ports  # pylint: disable=wrong-import-position

AIMA = ""
ENGINE = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
PROXY = """
import asyncio, os, sys
path, behind = sys.argv[1:]
async def pump(reader, writer):
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def pair(reader, writer):
    other_reader, other_writer = await asyncio.open_unix_connection(behind)
    await asyncio.gather(pump(reader, other_writer), pump(other_reader, writer))
async def main():
    server = await asyncio.start_unix_server(pair, path)
    print('listening', flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class HungEngine(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="aima-hung-engine."))
        self.socket = self.folder / "engine.sock"
        self.label = f"aima-hung-engine-test={os.getpid()}"
        self.daemon = None
        self.engine_port = ports.reserve(20)  # the first
        self.start_proxy()
        self.start_daemon()
        model = self.call("model/create", {"name": "m"})[1]["id"]
        self.service = self.call("service/create", {"model_id": model})[1]["id"]
        status, started = self.call("service/start", {"id": self.service, "timeout": 60})
        self.assertEqual(status, 200, started)

    def tearDown(self):
        self.proxy.kill()
        self.proxy.wait()
        if self.daemon and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.remove_containers()

    def start_proxy(self):
        self.socket.unlink(missing_ok=True)
        self.proxy = subprocess.Popen([sys.executable, "-c", PROXY, str(self.socket), ENGINE],
                                      stdout=subprocess.PIPE, text=True)
        self.assertEqual(self.proxy.stdout.readline(), "listening\n")
        self.proxy.stdout.close()

    def start_daemon(self, timeout="2s"):
        environment = dict(os.environ, DOCKER_HOST=f"unix://{self.socket}", AIMA_LABELS=self.label,
                           AIMA_ENGINE_VLLM_IMAGE="aima-fixture-engine:latest")
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            self.daemon = subprocess.Popen(
                [AIMA, "start", "--addr", "127.0.0.1:0", "--data-dir", str(self.folder / "data"),
                 "--provider", "docker", "--shutdown-timeout", timeout,
                 "--engine-ports", f"{self.engine_port}-{self.engine_port + 19}"],
                env=environment, stderr=log)
        self.port = int(self.log_line("listening on http://127.0.0.1:").rsplit(":", 1)[1])

    def log_line(self, text):
        end = time.monotonic() + 30
        while time.monotonic() < end and self.daemon.poll() is None:
            lines = [line for line in (self.folder / "log").read_text().splitlines() if text in line]
            if lines:
                return lines[-1]
        self.fail(f"no line with {text!r}: " + (self.folder / "log").read_text())

    def call(self, what, body=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.request("POST" if body else "GET", "/api/" + what if body else what,
                           json.dumps(body) if body else None,
                           {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text or "null")

    def row(self):
        return self.call(f"/api/service/get?id={self.service}")[1]

    def comes_true(self, condition, limit):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if condition():
                return True
        return condition()

    def remove_containers(self):
        class Engine(http.client.HTTPConnection):
            def connect(self):
                import socket
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.connect(ENGINE)
        filters = json.dumps({"label": [self.label]}).replace('"', "%22").replace(" ", "")
        engine = Engine("engine")
        engine.request("GET", f"/v1.41/containers/json?all=1&filters={filters}")
        for container in json.loads(engine.getresponse().read()):
            engine.request("DELETE", f"/v1.41/containers/{container['Id']}?force=1&v=1")
            engine.getresponse().read()
        engine.close()

    def expect_others_to_be_answered(self):
        for path in ("/ready", "/health", "/api/service/list", "/api/model/list", "/api/system/info"):
            begun = time.monotonic()
            self.assertEqual(self.call(path)[0], 200, path)
            self.assertLess(time.monotonic() - begun, 1, path)

    def test_a_frozen_engine(self):
        self.proxy.send_signal(signal.SIGSTOP)
        frozen = time.monotonic()
        self.assertTrue(self.comes_true(lambda: self.row()["unverified"], 8), self.row())
        print(f"frozen: unverified after {time.monotonic() - frozen:.1f} s", flush=True)
        self.assertEqual(self.row()["status"], "running")
        self.expect_others_to_be_answered()
        for verb in ("stop", "logs", "start", "delete"):
            begun = time.monotonic()
            status, answer = self.call("service/" + verb, {"id": self.service})
            took = time.monotonic() - begun
            self.assertEqual(status, 504, answer)
            self.assertIn(str(self.socket), answer["error"]["message"])
            self.assertLess(took, 8)
            print(f"frozen: {verb} answered {status} after {took:.1f} s", flush=True)
        status, shown = self.call("service/status", {"id": self.service})
        self.assertEqual((status, shown["status"], shown["unverified"]), (200, "running", True))
        self.proxy.send_signal(signal.SIGCONT)
        self.assertTrue(self.comes_true(lambda: not self.row()["unverified"], 8), self.row())
        self.assertEqual(self.call("service/stop", {"id": self.service})[0], 200)

    def test_a_drain_while_the_engine_is_frozen(self):
        self.proxy.send_signal(signal.SIGSTOP)
        # An operation under way is a request in flight: it has until the shutdown timeout.
        client = subprocess.Popen([AIMA, "service", "stop", self.service, "--server",
                                   f"http://127.0.0.1:{self.port}"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.assertTrue(self.comes_true(
            lambda: self.call("/api/system/info")[1]["requests_in_flight"] > 1, 10))
        begun = time.monotonic()
        self.daemon.send_signal(signal.SIGTERM)
        status = self.daemon.wait(30)
        took = time.monotonic() - begun
        self.assertNotEqual(client.wait(30), 0)
        client.stderr.close()
        self.assertEqual(status, 75)
        self.assertGreater(took, 1.9)
        self.assertLess(took, 4)
        # Nothing in flight: nothing to wait for. And a start of the daemon is not held up for long.
        begun = time.monotonic()
        self.start_daemon()
        took = time.monotonic() - begun
        self.assertLess(took, 4)
        self.assertTrue(self.row()["unverified"])
        begun = time.monotonic()
        self.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait(30), 0)
        drained = time.monotonic() - begun
        self.assertLess(drained, 1)
        print(f"frozen: ready after {took:.1f} s, drained in {1000 * drained:.0f} ms", flush=True)
        self.proxy.send_signal(signal.SIGCONT)

    def test_an_engine_that_dies_and_comes_back(self):
        self.proxy.kill()
        self.proxy.wait()
        died = time.monotonic()
        self.assertTrue(self.comes_true(lambda: self.row()["unverified"], 5), self.row())
        print(f"dead: unverified after {1000 * (time.monotonic() - died):.0f} ms", flush=True)
        begun = time.monotonic()
        status, answer = self.call("service/stop", {"id": self.service})
        self.assertEqual(status, 503, answer)
        self.assertLess(time.monotonic() - begun, 1)
        self.expect_others_to_be_answered()
        self.start_proxy()
        back = time.monotonic()
        self.assertTrue(self.comes_true(lambda: not self.row()["unverified"], 8), self.row())
        print(f"dead: seen again after {time.monotonic() - back:.1f} s", flush=True)
        self.assertEqual(self.row()["status"], "running")
        self.assertEqual(self.call("service/delete", {"id": self.service})[0], 200)


if __name__ == "__main__":
    AIMA = sys.argv.pop(1)
    unittest.main(verbosity=2)
