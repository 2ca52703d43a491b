"""What ci/bench-daemon and ci/soak share: one daemon, wrk, nginx, and how a figure is told."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import ports

root = pathlib.Path(__file__).resolve().parent.parent
START_DEADLINE_S = 30


def fail(message):
    sys.exit(f"error: {message}")


def program(name):
    """Its path; nginx is in a folder that is not in everybody's PATH."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    return found or fail(f"{name} is not installed; ci/setup --bench installs what is needed")


class Daemon:
    """`aima start` on a folder, from exec to READY=1; ends with the block it is used in."""

    def __init__(self, binaries, folder, environment=None, arguments=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "daemon.log"
        # The name of a socket is short: not below a folder that may be deep.
        self._short = tempfile.TemporaryDirectory(prefix="aima-b-")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(self._short.name + "/n")
        notify.settimeout(START_DEADLINE_S)
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder),
                       "NOTIFY_SOCKET": notify.getsockname(), **(environment or {})}
        command = [str(binaries / "aima"), "start", "--addr", "127.0.0.1:0", "--provider", "native",
                   "--data-dir", str(self.folder / "data"), *arguments]
        with open(self.log, "wb") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=log)
        self.pid = self.process.pid
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
        except TimeoutError:
            self.process.kill()
            self.process.wait()
            fail(f"the daemon was not ready in {START_DEADLINE_S} s: {self.log.read_text()}")
        self.ready_ms = (time.monotonic() - begin) * 1000
        notify.close()
        self.port = int(re.search(r"listening on http://127\.0\.0\.1:(\d+)",
                                  self.log.read_text()).group(1))
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self._short.cleanup()

    def stop(self):
        """SIGTERM; milliseconds until it has ended, which must be with status 0."""
        watch = os.pidfd_open(self.pid)
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        ended = select.select([watch], [], [], 60)[0]
        spent = (time.monotonic() - begin) * 1000
        os.close(watch)
        if not ended:
            self.process.kill()
            fail(f"the daemon did not end in 60 s: {self.log.read_text()}")
        if self.process.wait() != 0:
            fail(f"the daemon ended with {self.process.returncode}: {self.log.read_text()}")
        return spent

    def memory_kb(self):
        """(resident, proportional) set size."""
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return tuple(int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1))
                     for name in ("Rss", "Pss"))

    def cpu_us(self):
        return cpu_us([self.pid])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, path, body=None):
        """One request on a connection of its own → the text of a 200 reply."""
        connection = self.connection()
        with contextlib.closing(connection):
            connection.request("GET" if body is None else "POST", path,
                               body=None if body is None else json.dumps(body))
            reply = connection.getresponse()
            text = reply.read()
        if reply.status != 200:
            fail(f"{path}: {reply.status} {text!r}")
        return text


def cpu_us(pids):
    """CPU time of these processes so far, all threads, in microseconds."""
    files = [path for pid in pids for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(path.read_text().split()[0]) for path in files) / 1000


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def wrk_with_cpu(cpu, *arguments):
    """wrk's figures with `cpu_us`: what `cpu()` grew by for each request."""
    before = cpu()
    figures = wrk(*arguments)
    figures["cpu_us"] = (cpu() - before) / figures["requests"]
    return figures


def wrk(url, connections, seconds, *arguments, threads=1):
    """wrk with fixtures/bench/requests.lua → its figures; a refused or broken request is fatal."""
    done = subprocess.run(
        [program("wrk"), "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s",
         "--timeout", "10s", "-s", str(root / "fixtures/bench/requests.lua"), url, "--",
         *arguments],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        fail(f"wrk: {done.stdout}{done.stderr}")
    figures = json.loads(done.stdout.splitlines()[-1])
    if figures["refused"] or figures["broken"] or not figures["requests"]:
        fail(f"wrk {url} {' '.join(arguments)}: {figures}")
    return figures


NGINX = """
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type application/json; return 200 '{text}'; }}
  }}
}}
"""


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def nginx(folder, text, workers):
    """nginx that answers `text` to everything, on loopback → its URL and what reads its CPU time.
    No service: a child of ours."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    port = ports.reserve()
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(workers=workers, folder=folder, port=port, text=escaped))
    process = subprocess.Popen([program("nginx"), "-p", str(folder), "-e",
                                str(folder / "error.log"), "-c", str(config)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                fail(f"nginx did not start: {(folder / 'error.log').read_text()}")
            time.sleep(0.01)  # between two questions, not in place of them
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            connection.request("GET", "/")
            if connection.getresponse().read().decode() != text:
                fail("nginx answers another text than it was given")
        yield f"http://127.0.0.1:{port}", lambda: cpu_us(children_of(process.pid))
    finally:
        process.terminate()
        process.wait()


def verdict(value, limit, at_least):
    """ "limit 3: met", "limit 3: MISSED"; a gross miss is one by a factor of two. """
    sign, good = ("≥", value >= limit) if at_least else ("≤", value <= limit)
    gross = value * 2 < limit if at_least else value > limit * 2
    told = "met" if good else "MISSED by more than 2 times" if gross else "MISSED"
    return f"limit {sign} {limit:g}: {told}"
