"""A daemon of our own for ci/http-api, and one that lies for its selftest."""
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import ports


class Daemon:
    """One aima of our own: an own folder, any port, engines that are fixture processes."""

    def __init__(self, binaries, config=""):
        self.aima = binaries / "aima"
        self.folder = Path(tempfile.mkdtemp(prefix="aima-http-api-"))
        file = self.folder / "aima.toml"
        file.touch(mode=0o600)  # the guarded daemon's has a key in it
        file.write_text(config)
        keep = {k: v for k, v in os.environ.items() if not k.startswith("AIMA_")}
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        engines = ports.reserve(20)
        self.process = subprocess.Popen(
            [self.aima, "start", "--addr", "127.0.0.1:0", "--provider", "native", "--data-dir",
             self.folder / "data", "--config", file, "--engine-ports", f"{engines}-{engines + 19}"],
            stderr=self.log, stdin=subprocess.DEVNULL,
            env={**keep, "HOME": str(self.folder),
                 "AIMA_ENGINE_VLLM_COMMAND": str(binaries / "aima-fixture-engine")})
        self.port = self.read_port()

    def read_port(self):
        limit = time.monotonic() + 20
        while time.monotonic() < limit and self.process.poll() is None:
            found = re.search(r"listening on http://127.0.0.1:(\d+)",
                              (self.folder / "log").read_text())
            if found:
                return int(found[1])
            time.sleep(0.02)  # between two looks at the log
        sys.exit("http-api: aima did not start:\n" + (self.folder / "log").read_text())

    def ask(self, method, path, query=None, body=None, headers=None, raw=None):
        """(status, headers, body): the body as JSON where it is JSON, else as text."""
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        sent = dict(headers or {})
        if raw is None and body is not None:
            raw = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, raw, sent)
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        try:
            return reply.status, reply.headers, json.loads(text)
        except ValueError:
            return reply.status, reply.headers, text

    def raw(self, data, patience=30):
        """The first line of what the daemon answers to these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as stream:
            stream.sendall(data)
            return stream.makefile("rb").readline().decode().strip()

    def exec(self, unit, given):
        return subprocess.run(
            [self.aima, "exec", unit, "--input", json.dumps(given), "--output", "json", "--server",
             f"http://127.0.0.1:{self.port}"], capture_output=True, text=True, timeout=60)

    def stop(self):
        for service in self.ask("GET", "/api/service/list")[2]["items"]:
            self.ask("POST", "/api/service/delete", body={"id": service["id"]})
        return self.end()

    def end(self):
        self.process.terminate()
        status = self.process.wait(40)
        self.log.close()
        shutil.rmtree(self.folder)
        return status


class Liar:
    """A daemon whose replies are 200 and never a repeat's, for the selftest."""

    def __init__(self, daemon):
        self.daemon = daemon

    def __getattr__(self, name):
        return getattr(self.daemon, name)

    def ask(self, *given, **more):
        _, headers, body = self.daemon.ask(*given, **more)
        del headers["Idempotency-Replayed"]
        return 200, headers, body

    def raw(self, *_):
        return "HTTP/1.1 200 OK"
