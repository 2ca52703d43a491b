"""Who is let in by whom: keys, addresses, the rate limit."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from guard_cases.daemon import DEADLINE_S, KEY, Daemon, aima, check


def keys(arguments):
    """API keys: who is let in, and that no key is to be found anywhere."""
    engine = f"{arguments.bin}/aima-fixture-engine"
    environment = {"AIMA_API_KEYS": KEY + "-of-the-environment",
                   "AIMA_ENGINE_VLLM_COMMAND": engine}
    with Daemon(arguments, f'[security]\napi_keys = ["{KEY}"]\n', environment) as daemon:
        for path in ("/ready", "/metrics", "/api/model/list", "/api/system/info", "/nowhere"):
            status, headers, text = daemon.ask(path)
            check(status == 401 and headers["WWW-Authenticate"] == "Bearer" and
                  json.loads(text)["error"]["code"] == "unauthorized", f"{path} without a key: 401")
            check(daemon.ask(path, key=KEY[:-1])[0] == 401, f"{path} with a piece of the key: 401")
            check(daemon.ask(path, key=KEY)[0] != 401, f"{path} with the key: let in")
        check(daemon.ask("/health")[0] == 200, "/health without a key: 200")
        check(daemon.ask("/ready", key=KEY + "-of-the-environment")[0] == 200,
              "a key of the environment holds beside the file's")
        url = f"http://127.0.0.1:{daemon.port}"
        done = aima(arguments, "model", "list", server=url)
        check(done.returncode == 1 and done.stderr.count("\n") == 1 and
              "AIMA_API_KEY" in done.stderr, f"aima without a key: {done.stderr.strip()}")
        done = aima(arguments, "model", "list", server=url, key="wrong-" + KEY)
        check(done.returncode == 1 and "not one of" in done.stderr and KEY not in done.stderr,
              f"aima with a wrong key: {done.stderr.strip()}")
        done = aima(arguments, "model", "list", server=url, key=KEY)
        check(done.returncode == 0, "aima with the key works")
        done = aima(arguments, "model", "list", "--api-key", "two words", server=url)
        check(done.returncode == 64 and "two words" not in done.stderr,
              f"a key that no header can carry: {done.stderr.strip()}")
        model = json.loads(daemon.ask("/api/model/create", {"name": "m"}, KEY)[2])["id"]
        service = json.loads(daemon.ask("/api/service/create", {"model_id": model}, KEY)[2])["id"]
        status, _, text = daemon.ask("/api/service/start", {"id": service}, KEY)
        check(status == 200, "a native engine runs" if status == 200 else text)
        pid = int(json.loads(text)["instance_id"]) if status == 200 else daemon.process.pid
        for name in ("environ", "cmdline"):
            check(KEY.encode() not in Path(f"/proc/{pid}/{name}").read_bytes(),
                  f"no key in the engine's {name}")
        check(KEY.encode() not in Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes(),
              "no key in the daemon's command line")
        check(KEY not in daemon.ask("/api/system/info", key=KEY)[2], "no key in system.info")
        check(KEY not in daemon.ask("/metrics", key=KEY)[2], "no key in /metrics")
        daemon.ask("/api/service/delete", {"id": service}, KEY)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.process.wait(DEADLINE_S)
        held = [path for path in daemon.folder.rglob("*")
                if path.is_file() and path.name != "aima.toml" and KEY.encode() in path.read_bytes()]
        check(not held, f"no key in the log or in the data folder {held or ''}")


def addresses(arguments):
    """An address that others can reach needs a key."""
    def start(config="", addr=None, environment=None):
        daemon = Daemon(arguments, config, environment)
        if addr:
            daemon.process.kill()
            daemon.process.wait()
            words = list(daemon.process.args)
            words[words.index("--addr") + 1] = addr
            with open(daemon.log, "wb") as log:
                daemon.process = subprocess.Popen(words, stderr=log, env={
                    **{k: v for k, v in os.environ.items() if not k.startswith("AIMA_")},
                    **(environment or {})})
        return daemon

    for addr in ("0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"):
        daemon = start(addr=addr)
        status = daemon.process.wait(DEADLINE_S)
        text = daemon.log.read_text()
        check(status == 64 and "api_keys" in text, f"--addr {addr} without a key: exit {status}")
        daemon.__exit__()
    daemon = start('addr = "0.0.0.0:0"\n')
    check(daemon.process.wait(DEADLINE_S) == 78, "the same in the config file: exit 78")
    daemon.__exit__()
    for addr in ("0.0.0.0:0", "[::]:0"):
        with start(addr=addr, environment={"AIMA_API_KEYS": KEY}) as daemon:
            check(daemon.ask("/ready")[0] == 401 and daemon.ask("/ready", key=KEY)[0] == 200,
                  f"--addr {addr} with a key: serves, and asks for it")
            check("without TLS" in daemon.log.read_text(), "and the log warns that there is no TLS")
    loose = start(f'[security]\napi_keys = ["{KEY}"]\n')
    loose.process.kill()
    loose.process.wait()
    (loose.folder / "aima.toml").chmod(0o644)
    done = subprocess.run(loose.process.args, capture_output=True, text=True, timeout=DEADLINE_S)
    check(done.returncode == 78 and "chmod 600" in done.stderr and KEY not in done.stderr,
          f"a config file with keys that others can read: exit {done.returncode}")
    loose.__exit__()


def rates(arguments):
    """A limit per client: 429 and when to come again."""
    with Daemon(arguments, "[security]\nrate_limit = 5\nrate_burst = 10\n") as daemon:
        began = time.monotonic()
        statuses = []
        # Until one is refused: on a busy machine some are slower than the rate.
        while len(statuses) < 30 or 429 not in statuses and time.monotonic() - began < DEADLINE_S:
            statuses.append(daemon.ask("/api/model/list")[0])
        taken = 10 + 5 * (time.monotonic() - began)
        check(10 <= statuses.count(200) <= taken + 1 and set(statuses) == {200, 429},
              f"{statuses.count(200)} of {len(statuses)} at once are taken, {statuses.count(429)} are 429")
        status, headers, _ = daemon.ask("/api/model/list")
        check(status != 429 or headers["Retry-After"] == "1", "429 says Retry-After: 1")
        check(all(daemon.ask(path)[0] == 200 for path in ("/health", "/ready") for _ in range(20)),
              "/health and /ready are not counted")
        time.sleep(1.0)  # what Retry-After says
        check(daemon.ask("/api/model/list")[0] == 200, "after Retry-After it is taken")
