"""What is measured: others beside slow clients, and /metrics against what was done."""
import http.client
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time

from guard_cases.daemon import DEADLINE_S, Daemon, check

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    print("daemon-guards: install python3-prometheus-client", file=sys.stderr)
    sys.exit(69)


def latencies(daemon, count):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=DEADLINE_S)
    found = []
    for _ in range(count):
        began = time.monotonic()
        status = daemon.ask("/api/model/list", connection=connection)[0]
        found.append((time.monotonic() - began) * 1000)
        if status != 200:
            raise RuntimeError(f"status {status}")
    connection.close()
    return statistics.median(found), sorted(found)[int(len(found) * 0.99)]


def settled(daemon):
    """What the readers asked for is work like any other: until their replies are stuck."""
    until = time.monotonic() + DEADLINE_S
    before = -1.0
    while daemon.cpu_s() - before > 0.05 and time.monotonic() < until:
        before = daemon.cpu_s()
        time.sleep(0.5)


def slow(arguments):
    """Thousands of slow clients, more than there are descriptors: nobody else notices."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(7)[1]),) * 2)
    with Daemon(arguments, descriptors=1024) as daemon:
        for i in range(20):
            daemon.ask("/api/model/create", {"name": f"m{i}", "path": "/" + "x" * 4000})
        alone = latencies(daemon, 300)
        clients, over = [], threading.Event()

        def connect(first):
            one = socket.create_connection(("127.0.0.1", daemon.port), timeout=5)
            one.setblocking(False)
            try:
                one.send(first)
            except OSError:
                pass  # closed already to make room
            return one

        heads = [connect(b"GET /api/model/list HTTP/1.1\r\nHost: t\r\nX-") for _ in range(300)]
        bodies = [connect(b"POST /api/model/create HTTP/1.1\r\nHost: t\r\n"
                          b"Content-Length: 100000\r\n\r\n{") for _ in range(200)]
        readers = [connect(b"GET /api/model/list HTTP/1.1\r\nHost: t\r\n\r\n" * 100)
                   for _ in range(100)]
        clients = heads + bodies + readers

        def drip():
            while not over.wait(1.0):  # a byte a second each
                for one in heads + bodies:
                    try:
                        one.send(b"x")
                    except OSError:
                        pass
        dripper = threading.Thread(target=drip)
        dripper.start()
        settled(daemon)
        beside = latencies(daemon, 300)
        check(beside[0] < max(10 * alone[0], 20) and beside[1] < max(20 * alone[1], 500),
              f"beside {len(clients)} slow clients: median {beside[0]:.2f} ms (alone {alone[0]:.2f}), "
              f"p99 {beside[1]:.2f} ms (alone {alone[1]:.2f})")
        silent = [connect(b"") for _ in range(2500)]  # three times what there is room for
        check(daemon.ask("/health")[0] == 200, "/health beside 3,100 connections, 1,024 descriptors")
        crowded = latencies(daemon, 300)
        check(crowded[0] < max(10 * alone[0], 20),
              f"at the limit of connections: median {crowded[0]:.2f} ms, p99 {crowded[1]:.2f} ms")
        before = daemon.cpu_s()
        time.sleep(2.0)  # a spin would show
        used = daemon.cpu_s() - before
        check(used < 0.6, f"idle at the limit: {used:.2f} s of CPU in 2 s")
        figures = samples(daemon.ask("/metrics")[2])
        check(figures[("process_open_fds", ())] < 1024 and
              figures[("aima_http_connections", ())] <= figures[("aima_http_connections_limit", ())]
              + 64, f"{figures[('process_open_fds', ())]:.0f} descriptors open, "
              f"{figures[('aima_http_connections_evicted_total', ())]:.0f} connections made room")
        over.set()
        dripper.join()
        for one in clients + silent:
            one.close()
        check("cannot accept" not in daemon.log.read_text(), "descriptors never ran out")


def samples(text):
    return {(one.name, tuple(sorted(one.labels.items()))): one.value
            for family in text_string_to_metric_families(text) for one in family.samples}


def metrics(arguments):
    """/metrics: a page that Prometheus reads, and figures that are what was done."""
    with Daemon(arguments) as daemon:
        for i in range(25):
            daemon.ask("/api/model/create", {"name": f"m{i}"})
        for i in range(4):
            daemon.ask("/api/model/create", {"name": "m0"})
        for i in range(6):
            daemon.ask(f"/no/such/{i}")
        status, headers, text = daemon.ask("/metrics")
        check(status == 200 and headers["Content-Type"] ==
              "text/plain; version=0.0.4; charset=utf-8", "the page's type is text 0.0.4")
        found = samples(text)
        route = {"route": "/api/model/create", "unit": "model.create"}

        def value(name, **labels):
            return found.get((name, tuple(sorted(labels.items()))), 0)
        total = "aima_http_requests_total"
        check(value(total, status="2xx", **route) == 25, "25 creates: 25")
        check(value(total, status="4xx", **route) == 4, "4 refused ones (409): 4")
        check(value(total, status="4xx", route="unmatched", unit="") == 6,
              "6 requests for what is not there: 6, under one label")
        name = "aima_http_request_duration_seconds"
        buckets = [v for (n, labels), v in found.items()
                   if n == name + "_bucket" and ("route", "/api/model/create") in labels]
        check(value(name + "_count", **route) == 29 and max(buckets) == 29 and
              buckets == sorted(buckets), "the histogram holds 29, and only grows")
        check(0 < value(name + "_sum", **route) < 29 * DEADLINE_S, "its sum is a time")
        check(value("aima_store_jobs_total") >= 29, "the store counts its jobs")
        check(25 <= value("aima_store_commits_total") <= value("aima_store_fsyncs_total"),
              f"{value('aima_store_commits_total'):.0f} commits, "
              f"{value('aima_store_fsyncs_total'):.0f} syncs")
        check(value("aima_store_wal_bytes") ==
              (daemon.folder / "data" / "aima.db-wal").stat().st_size, "the WAL's size is the file's")
        check(abs(value("process_start_time_seconds") - time.time()) < DEADLINE_S, "start time")
        check(value("aima_draining") == 0 and value("aima_store_usable") == 1, "state")
        lines = text.count("\n")
        for i in range(200):
            daemon.ask(f"/api/model/get?id={i}&x{i}={i}")
            daemon.ask(f"/{i}/{i}")
        check(daemon.ask("/metrics")[2].count("\n") <= lines + 40,
              "400 different requests make no further labels")
        linted = shutil.which("promtool")
        if linted:
            done = subprocess.run([linted, "check", "metrics"], input=text, text=True,
                                  capture_output=True, timeout=DEADLINE_S)
            check(done.returncode == 0, f"promtool check metrics {done.stdout}{done.stderr}")
