"""What the cases of ci/daemon-guards share: a daemon with a key, `aima` beside it, and what is wrong."""
import http.client
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import ports

KEY = "guards-key-7d1f0c5b9a3e"
DEADLINE_S = 60
ENGINE_PORT = ports.reserve(20)  # the first
FAULTS = []


def check(holds, what):
    print(("  ok    " if holds else "  WRONG ") + what)
    if not holds:
        FAULTS.append(what)


class Daemon:
    """`aima start` in a folder of its own; ends with the `with` block."""

    def __init__(self, arguments, config="", environment=None, descriptors=None):
        self.folder = Path(tempfile.mkdtemp(prefix="aima-guards-"))
        self.log = self.folder / "log"
        words = [str(arguments.bin / "aima"), "start", "--data-dir", str(self.folder / "data"),
                 "--provider", "native", "--log-level", "trace",
                 "--engine-ports", f"{ENGINE_PORT}-{ENGINE_PORT + 19}"]
        if not re.search(r"^addr", config, re.M):
            words += ["--addr", "127.0.0.1:0"]
        if config:
            path = self.folder / "aima.toml"
            path.write_text(config)
            path.chmod(0o600)
            words += ["--config", str(path)]
        own = {k: v for k, v in os.environ.items() if not k.startswith("AIMA_")}
        own.update(environment or {})

        def bound():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(words, stderr=log, stdout=log, env=own,
                                            preexec_fn=bound)
        self.port = None

    def __enter__(self):
        until = time.monotonic() + DEADLINE_S
        while self.port is None:
            found = re.search(rb"listening on http://\S+?:(\d+)\n", self.log.read_bytes())
            if found:
                self.port = int(found[1])
            elif self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the daemon did not start:\n" + self.log.read_text())
            else:
                time.sleep(0.01)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, path, body=None, key=None, connection=None):
        """Status, headers and body of one request."""
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        headers = {"Authorization": "Bearer " + key} if key else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        own.request("GET" if body is None else "POST", path,
                    None if body is None else json.dumps(body), headers)
        reply = own.getresponse()
        text = reply.read().decode()
        if connection is None:
            own.close()
        return reply.status, reply.headers, text

    def cpu_s(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def aima(arguments, *words, server, key=None):
    own = {k: v for k, v in os.environ.items() if not k.startswith("AIMA_")}
    if key:
        own["AIMA_API_KEY"] = key
    return subprocess.run([str(arguments.bin / "aima"), *words, "--server", server], env=own,
                          capture_output=True, text=True, timeout=DEADLINE_S)
