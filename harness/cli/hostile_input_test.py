#!/usr/bin/env python3
"""Hostile files, daemons, engines and run folders: a clear answer in bounded time, memory and disk.

usage: hostile_input_test.py HARNESS SOURCE_ROOT [--long] [unittest options]
Peak memory is what the kernel says of the harness itself (wait4). Needs no container engine.
"""
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SANITIZERS = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
HARNESS, ROOT = map(os.path.abspath, sys.argv[1:3])
del sys.argv[1:3]
LONG = "--long" in sys.argv
if LONG:
    sys.argv.remove("--long")

MIB = 1 << 20
GIB = 1 << 30
# Of a harness that is given nothing hostile: some 25 MiB. A sanitizer's own shadow is not counted.
MEMORY = 150 * MIB if not SANITIZERS else 4 * GIB
DISK = 24 * MIB
# A sanitizer finds in an eighth what it finds in all, and the time of its run says nothing of ours.
LESS, PATIENCE = (8, 4) if SANITIZERS else (1, 1)

HEAD = """scenario: hostile
title: hostile
target: misbehaving
timeout: {timeout}
criteria:
  1: it does what is asked
steps:
"""
GOOD = HEAD.format(timeout="20s") + "  - start: {}\n    criterion: 1\n"


class Hostile(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix=f"hostile-{os.getpid()}-")
        self.path = pathlib.Path(self.folder.name)
        (self.path / "tmp").mkdir()
        self.environment = {**SANITIZERS, "PATH": os.environ["PATH"], "HOME": self.folder.name,
                            "TMPDIR": str(self.path / "tmp"), "NO_COLOR": "1"}

    def tearDown(self):
        self.folder.cleanup()

    def call(self, *arguments, status=None, seconds=20, memory=MEMORY):
        """Runs the harness; its output. Asserts exit status, time and peak memory."""
        seconds *= PATIENCE
        begin = time.monotonic()
        with open(self.path / "output", "w+b") as output:
            process = subprocess.Popen([HARNESS, *map(str, arguments)], env=self.environment,
                                       cwd=self.path, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=subprocess.STDOUT)
            killer = threading.Timer(seconds + 40, process.kill)
            killer.start()
            _, how, usage = os.wait4(process.pid, 0)
            killer.cancel()
            process.returncode = os.waitstatus_to_exitcode(how)
            size = output.tell()
            output.seek(0)
            self.output = output.read(MIB).decode(errors="replace")
        self.took = time.monotonic() - begin
        self.peak = usage.ru_maxrss * 1024
        said = self.output[:3000] + self.output[-1500:]
        self.assertLess(size, MIB, "the output itself: " + said)
        if status is not None:
            wanted = status if isinstance(status, tuple) else (status,)
            self.assertIn(process.returncode, wanted, said)
        self.assertGreaterEqual(process.returncode, 0, said)
        self.assertLess(self.took, seconds, said)
        self.assertLess(self.peak, memory, f"{self.peak / MIB:.0f} MiB; {said}")
        return self.output

    def write(self, text, name="case.yaml"):
        file = self.path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def check(self, text, *words, status=4, **more):
        said = self.call("check", self.write(text), "--root", ROOT, status=status, **more)
        for word in words:
            self.assertIn(word, said)

    def run_steps(self, steps, *more, how="behaves", status=0, timeout=20, **bounds):
        file = self.write(HEAD.format(timeout=f"{timeout * PATIENCE}s") + steps)
        said = self.call("run", file, "--root", ROOT, "--out", self.path / "runs", "--provider",
                         "native", "--set", f"target.vars.how={how}", *more, status=status, **bounds)
        latest = self.path / "runs" / "latest"
        if latest.exists():
            self.verdict = json.loads((latest / "verdict.json").read_text())
        for folder in (self.path / "runs", self.path / "tmp"):
            size = sum(file.stat().st_blocks * 512 for file in folder.rglob("*")
                       if file.is_file() and not file.is_symlink())
            self.assertLess(size, DISK, folder)
        return said

    def told(self, words):
        """In the verdict, where nothing is cut to the width of a line."""
        self.assertIn(words, json.dumps(self.verdict, ensure_ascii=False))

    def answer(self, criterion="1"):
        return next(f["answer"].lower() for f in self.verdict["findings"]
                    if f["criterion"] == criterion)

    def facts(self):
        return {fact["name"]: fact["text"] for fact in self.verdict["facts"]}

    # Files

    def test_yaml_bombs(self):
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
        for one, other in zip("bcdefghij", "abcdefghi"):
            bomb += f"{one}: &{one} [" + ",".join([f"*{other}"] * 9) + "]\n"
        self.check(bomb, "aliases (*name) are not supported", "case.yaml:2:")
        self.check("scenario: &a [*a]\n", "case.yaml:1:")
        self.check("a: &a\n  b: *a\n", "case.yaml:2:6")
        self.check("steps: " + "[" * 200_000, "case.yaml:1:")
        self.check("steps: [" + "[1], [" * 100_000, "case.yaml:1:")
        self.check("steps: " + "[" * 100 + "]" * 100, "nested deeper than 64 levels")
        self.check("steps: " + "{a: " * 100_000, "case.yaml:1:")
        self.check("".join("  " * n + "a:\n" for n in range(500)), "nested deeper than 64 levels")
        self.check("- " * (400_000 // LESS), "nested deeper than 64 levels")
        self.check("".join(f"k{n}: 1\n" for n in range(90_000 // LESS)), "case.yaml:")
        self.check("steps:\n" + "".join(f"- k{n}: 1\n" for n in range(60_000 // LESS)), "case.yaml:", seconds=40)
        self.check(HEAD.format(timeout="20s") + "  - shell: '" + "x" * 1_000_000 + "'\n    criterion: 1\n",
                   status=(0, 4))
        self.check("title: " + "\"" * 900_001, "case.yaml:")
        self.check("? " * (300_000 // LESS), "case.yaml:", seconds=40)
        self.check("a: |\n" + "  " * 400_000 + "x\n" * 50_000, status=4)
        self.check("!<" + "x" * 900_000 + "> a: 1\n", "case.yaml:")
        self.check("%TAG ! tag:" + "y" * 900_000 + "\n---\na: 1\n", "case.yaml:")

    def test_bytes_that_are_no_text(self):
        self.check(GOOD.encode() + b"\0", "control character 0x00", "case.yaml:10:1")
        self.check(GOOD.encode().replace(b"title: hostile", b"title: \xff\xfe"), "byte 0xff is not UTF-8",
                   "case.yaml:2:8")
        self.check(GOOD.encode("utf-16"), "is not UTF-8", "case.yaml:1:1")
        self.check(b"\xef\xbb\xbf" + GOOD.encode(), status=0)  # a byte order mark
        self.check(GOOD.replace("\n", "\r\n"), status=0)
        self.check(GOOD + "---\n" + GOOD, "a second document begins here")
        self.check("", "case.yaml:1:1")

    def test_files_that_are_none(self):
        pipe, loop, folder, dark = (self.path / name for name in ("pipe.yaml", "loop.yaml", "folder.yaml",
                                                                  "dark.yaml"))
        os.mkfifo(pipe)
        loop.symlink_to(loop)
        folder.mkdir()
        dark.write_text(GOOD)
        dark.chmod(0)
        wrong = {pipe: "it is a pipe, not a file", loop: "Too many levels of symbolic links",
                 "/dev/zero": "it is a device, not a file", folder: "no scenario (*.yaml) in this folder"}
        if os.geteuid() != 0:
            wrong[dark] = "Permission denied"
        with open(self.path / "sparse.yaml", "wb") as file:
            file.truncate(200 * GIB)
        wrong[self.path / "sparse.yaml"] = "it has 214748364800 bytes; 1048576 are the most"
        for file, why in wrong.items():
            for command in ("check", "run", "plan"):
                said = self.call(command, file, "--root", ROOT, status=4, seconds=10)
                self.assertIn(why, said)
                self.assertIn(str(file), said)
        for file in (pipe, "/dev/zero", self.path / "sparse.yaml"):
            said = self.call("check", self.write(GOOD), "--root", ROOT, "--target", file, status=4)
            self.assertIn(str(file), said)

    def test_folders_that_lead_into_themselves(self):
        tree = self.path / "tree"
        tree.mkdir()
        (tree / "one.yaml").write_text(GOOD)
        for name in "abc":
            (tree / name).symlink_to(tree)
        self.call("check", tree, "--root", ROOT, status=0, seconds=10)

    def test_a_line_of_100_megabytes(self):
        long = self.path / "long.yaml"
        with open(long, "wb") as file:
            for _ in range(100):
                file.write(b"x" * MIB)
        self.assertIn("1048576 are the most", self.call("check", long, "--root", ROOT, status=4))
        self.assertIn("1048576 are the most", self.call(
            "check", self.write(GOOD), "--root", ROOT, "--target", long, status=4))
        self.call("run", self.write(GOOD), "--root", ROOT, "--report", "junit=" + "x" * 100_000, status=4)
        self.call("run", "x" * 100_000, "--root", ROOT, status=4)
        self.call("check", self.write(GOOD), "--root", ROOT, "--set", "target.vars.how=" + "$" * 100_000,
                  status=(0, 4))

    def test_expressions_without_end(self):
        def expect(text):
            return f"  - start: {{}}\n  - shell: 'echo 1'\n    expect: '{text}'\n    criterion: 1\n"
        endless = ("[range(. * 1e9)] | length > 3", ". as $n | \"x\" * 1e9 | length > $n",
                   "def f: [f]; f | length > .", "reduce range(1e9) as $i (.; [., .]) | length > 3")
        for text in endless[::3] if SANITIZERS else endless:  # libjq itself is not instrumented
            self.run_steps(expect(text), status=2, memory=600 * MIB, seconds=40)
            self.told("jq: ")
            self.assertEqual(self.answer(), "inconclusive")
        self.check(HEAD.format(timeout="1s") + expect("[" * 20_000 + "1" + "]" * 20_000), "case.yaml:10:",
                   seconds=60, memory=600 * MIB)
        self.check(HEAD.format(timeout="1s") + expect("1" + " | ." * 50_000), status=(0, 4), seconds=60,
                   memory=600 * MIB)

    def test_patterns_without_end(self):
        for pattern in ("(x+)+y", "(x|xx)+$y"):
            self.run_steps("  - start: {}\n  - await: {log: flooded, within: 10s}\n"
                           f"  - log: {{must: '{pattern}'}}\n    criterion: 1\n", "--set",
                           "target.vars.times=1", how="floods-one-line", status=2)
            self.told("takes too long on a line of 4096 characters")
        self.run_steps("  - start: {}\n  - await: {log: '(x+)+y', within: 10s}\n    criterion: 1\n", "--set",
                       "target.vars.times=1", how="floods-one-line", status=2)
        self.told("takes too long")

    # Daemons

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

    # Container engines

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

    # Run folders

    def stored_run(self):
        self.run_steps("  - start: {}\n    criterion: 1\n  - stop: {}\n", status=0)
        return (self.path / "runs" / "latest").resolve()

    def test_hostile_run_folders(self):
        run = self.stored_run()
        history, scenario, verdict = (run / name for name in ("history.jsonl", "scenario.yaml",
                                                              "verdict.json"))
        kept = {file: file.read_bytes() for file in (history, scenario, verdict)}
        outside = self.write("precious", "outside")

        def both(change, words, status=(3, 4), commands=("judge", "report")):
            for command in commands:
                for file, content in kept.items():
                    if file.is_symlink() or not file.is_file():
                        subprocess.run(["rm", "-rf", str(file)], check=True)
                    file.write_bytes(content)
                if command == "report":
                    verdict.unlink()  # else it need not read the rest
                change()
                said = self.call(command, run, "--root", ROOT, "--out", self.path / "runs", status=status,
                                 seconds=30)
                self.assertIn(words, said)
            self.assertEqual(outside.read_text(), "precious")

        def instead(file, make):
            def change():
                file.unlink(missing_ok=True)
                make(file)
            return change

        def sparse(file):
            with open(file, "wb") as made:
                made.truncate(GIB)

        both(instead(history, os.mkfifo), "it is a pipe, not a file")
        both(instead(history, lambda file: file.symlink_to(outside)), "it is a symbolic link")
        both(instead(history, lambda file: file.symlink_to("/dev/zero")), "it is a symbolic link")
        both(instead(history, os.mkdir), "it is a folder, not a file")
        both(instead(history, sparse), "it has 1073741824 bytes")
        both(instead(history, lambda file: None), "it holds no history.jsonl")
        both(instead(scenario, lambda file: None), "scenario.yaml")
        both(instead(scenario, os.mkfifo), "scenario.yaml")
        both(instead(scenario, lambda file: file.symlink_to("/etc/hostname")), "scenario.yaml")
        both(instead(scenario, sparse), "scenario.yaml")
        both(lambda: history.write_bytes(b"[" * (5_000_000 // LESS) + b"\n" + kept[history]), "nested deeper")
        both(lambda: history.write_bytes(kept[history].replace(b"}\n", b"}\n\0\n", 1)), "not an event")
        both(lambda: history.write_bytes(b"x" * (100 * MIB // LESS)), "", status=(0, 2, 3, 4))
        both(instead(verdict, lambda file: file.symlink_to(outside)), "it is a symbolic link")
        both(instead(verdict, os.mkfifo), "it is a pipe, not a file")
        both(instead(verdict, sparse), "it has 1073741824 bytes")
        both(lambda: verdict.write_bytes(b"[" * (3_000_000 // LESS)), "verdict")

    def test_an_observation_of_100_megabytes(self):
        run = self.stored_run()
        # Without its hashes: nobody could have recorded this.
        lines = re.sub(r',"hash":"[0-9a-f]*"', "", (run / "history.jsonl").read_text()).splitlines()
        with open(run / "history.jsonl", "w") as file:  # in pieces: our own memory would count
            file.write(lines[0] + "\n" + lines[1][:-1] + ', "document": "')
            for _ in range(100 // LESS):
                file.write("x" * MIB)
            file.write('"}\n' + "\n".join(lines[2:]) + "\n")
        self.call("judge", run, "--unchained", "--root", ROOT, "--out", self.path / "runs", status=0, seconds=40,
                  memory=800 * MIB)

    def test_list_beside_hostile_scenarios(self):
        root = self.path / "root"
        (root / "scenarios").mkdir(parents=True)
        (root / "fixtures" / "targets").mkdir(parents=True)
        os.mkfifo(root / "scenarios" / "pipe.yaml")
        os.mkfifo(root / "fixtures" / "targets" / "pipe.yaml")
        (root / "scenarios" / "zero.yaml").symlink_to("/dev/zero")
        (root / "scenarios" / "deep.yaml").write_text("[" * 100_000)
        (root / "scenarios" / "self").symlink_to(root / "scenarios")
        self.call("list", "--root", root, status=(0, 4), seconds=20)
        self.assertIn("it is a pipe", self.call("check", "--root", root, status=4, seconds=20))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
