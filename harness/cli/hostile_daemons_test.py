#!/usr/bin/env python3
"""Hostile replies, logs, commands and container engines: without end, cut short, or no HTTP at all.

usage: hostile_daemons_test.py HARNESS SOURCE_ROOT [--long] [unittest options]
"""
import json
import os
import pathlib
import socket
import subprocess
import threading

from hostile import GIB, GOOD, MIB, HostileTest
from outside import HARNESS, LESS, LONG, PATIENCE, ROOT, main


class HostileDaemons(HostileTest):
    def facts(self):
        return {fact["name"]: fact["text"] for fact in self.verdict["facts"]}

    REPLIES = {  # path: exit status of a run that judges it, words
        "gigabyte": (2, "the reply was cut at 8388608 bytes of 1073741824 bytes"),
        "until-closed": (2, "the reply was cut at 8388608 bytes of nobody knows how many"),
        "chunks": (2, "the reply was cut at 8388608 bytes"),
        "extension": (1, ""),
        "headers": (1, ""),
        "long-header": (1, ""),
        "continue": (1, ""),
        "drip": (1, "timeout"),
        "short": (1, "closed"),
        "long": (0, ""),
        "negative": (1, ""),
        "two-lengths": ((1, 0), ""),
        "redirect": (0, ""),
        "packed": (2, "packed (gzip)"),
        "deep": (2, "nested deeper than 300 levels"),
        "many-keys": (0, ""),
        "many-values": (2, "more than 250000 values"),
        "no-http": (1, ""),
        "nothing": (1, "closed"),
    }

    def test_each_reply(self):
        for path, (status, words) in self.REPLIES.items():
            with self.subTest(path=path):
                self.run_steps("  - start: {}\n"
                               f"  - http: GET /{path}\n    deadline: {2 * PATIENCE}s\n    criterion: 1\n"
                               "    expect: 'length >= 0'\n  - stop: {}\n", how="replies", status=status,
                               seconds=10)
                self.told(words)
                self.assertEqual(self.answer("run"), "pass", self.output)

    def test_each_reply_has_a_case_here(self):
        listed = subprocess.run([str(pathlib.Path(HARNESS).parent / "misbehaving-daemon")], text=True,
                                stderr=subprocess.PIPE).stderr.splitlines()
        paths = [line.split()[0].removeprefix("/") for line in listed if line.split()[0].startswith("/")]
        self.assertEqual(sorted(paths), sorted(self.REPLIES))

    def test_many_large_replies_at_once(self):
        self.run_steps("  - start: {}\n  - background: many\n    count: 64\n    http: GET /gigabyte\n"
                       "  - join: many\n    criterion: 1\n    expect: 'all(.[]; .body == null)'\n"
                       "  - stop: {}\n", how="replies", status=(0, 1, 2))

    def floods(self, how, megabytes, steps, **more):
        self.run_steps("  - start: {}\n" + steps + "  - stop: {}\n", "--keep", "--set",
                       f"target.vars.times={megabytes}", how=how, timeout=60, seconds=60, **more)
        subprocess.run([HARNESS, "clean", "--root", ROOT], env=self.environment, check=True,
                       stdout=subprocess.DEVNULL)

    def test_log_floods_are_named(self):
        size = 1024 if LONG else 128 // LESS
        for how in ("floods-one-line", "floods-binary"):
            self.floods(how, size, "  - await: {log: ^flooded$, within: 50s}\n    criterion: 1\n")
            told = self.facts()["log flood, start 1"]
            self.assertIn(f"the daemon wrote {size}.0 MiB", told)
            self.assertIn(told, self.output.replace("\n", " ").replace("  ", " ") + told)

    def test_what_a_flood_washed_away_is_not_judged(self):
        look = "  - await: {{log: ^flooded$, within: 50s}}\n  - log: {{{}}}\n    criterion: 1\n"
        for demand, status in (("must_not: never said", 2), ("must: never said", 2), ("must: ready", 0),
                               ("must_not: ready", 1)):
            self.floods("floods-one-line", 16, look.format(demand), status=status)
            if status == 2:
                self.told("are not kept: nobody knows")

    def test_commands_without_end(self):
        size = GIB // LESS
        for shell, status, words in (
                (f"head -c {size} /dev/zero", 2, f"it wrote {size} bytes to stdout"),
                (f"head -c {size} /dev/zero >&2", 2, f"it wrote 0 bytes to stdout and {size}"),
                ("yes", 1, "did not end within")):
            deadline = 4 if status == 1 else 30 * PATIENCE  # the machine may be busy
            self.run_steps(f"  - start: {{}}\n  - shell: '{shell}'\n    deadline: {deadline}s\n"
                           "    criterion: 1\n    expect: 'length > 0'\n", status=status)
            self.told(words)
            self.assertLess(self.took, 30 * PATIENCE)

    def engine(self, replies):
        """A thread that answers on a unix socket: /_ping as Docker does, the rest as told."""
        path = str(self.path / "engine.sock")
        if os.path.exists(path):
            os.unlink(path)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(16)

        def serve():
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                try:
                    request = client.recv(65536)
                    if b"/_ping" in request:
                        client.sendall(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK")
                    else:
                        for piece in replies():
                            client.sendall(piece)
                except OSError:
                    pass
                client.close()

        threading.Thread(target=serve, daemon=True).start()
        self.environment["DOCKER_HOST"] = "unix://" + path
        return server

    def test_hostile_engines(self):
        def reply(body):
            return lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body]

        def gigabyte():
            yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n["
            for _ in range(16384):
                yield b"{}," * 21845

        strange = [{"Id": 5, "State": [], "Config": {"Labels": 7}}]
        for replies in (gigabyte, reply(b"[" * MIB), reply(b"garbage"), reply(b"[{\"Id\": \"abc\"}, {"),
                        reply(json.dumps(strange).encode()), reply(b"[1, null, \"x\"]"), reply(b""),
                        lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n["]):
            with self.engine(replies):
                file = self.write(GOOD)
                said = self.call("run", file, "--root", ROOT, "--out", self.path / "runs", "--provider",
                                 "docker", status=(1, 2, 3, 6), seconds=60)
                self.assertIn("engine", said)


if __name__ == "__main__":
    main()
