#!/usr/bin/env python3
"""Faults that do not strike, in whole runs: suppressed, refused and mistimed, for each there is.

usage: fault_proofs_test.py HARNESS SOURCE_ROOT SUPPRESS_LIBRARY [unittest options]
Such a run is inconclusive and names the fault: never a pass, and never a failure of a daemon that
nothing hit. A fault without a row in ROWS fails the test.
"""
import errno
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import unittest

from outside import HARNESS, ROOT, SERVICE, HarnessTest, main

LIBRARY = sys.argv.pop(1)

HEAD = """scenario: proofs
title: proofs
target: aima
timeout: 30s
criteria:
  1: it is looked at
steps:
"""
START = "  - start: {}\n"
STOP = "  - stop: {}\n"
DOWN = START + "  - signal: KILL\n  - await: {exit: {signal: KILL}}\n"
LABEL = 'label: "aima.service=${service_id}"'
LOOK = "  - shell: 'true'\n    criterion: 1\n"
DIES = "  - await: {exit: {signal: KILL}, within: 300ms}\n    criterion: 1\n"


class Row:
    """before: steps; fault: its arguments; suppressed, refused: (what is done about it, the reason)."""
    def __init__(self, before, suppressed, refused, fault="{}", after=LOOK):
        self.before, self.fault, self.after = before, fault, after
        self.suppressed, self.refused = suppressed, refused


def library(what):
    """The harness's own system calls do nothing, or are refused."""
    return {"preload": what}


def holder(says):
    """The helper that is to hold the database says so, and does not."""
    return {"holder": says}


def other(before=None, fault=None):
    """Other steps before it, or other arguments."""
    return {"before": before, "fault": fault}


ROWS = {
    "pause": Row(START, (library("STOP"), "not stopped"),
                 (library(f"STOP={errno.EPERM}"), "not permitted")),
    "kill": Row(START, (library("KILL"), "did not end in time"),
                (library(f"KILL={errno.EPERM}"), "not permitted"), after=DIES),
    "port-taken": Row(DOWN, (library("listen"), "does not accept"), (other(before=START), "cannot be taken")),
    "container": Row(SERVICE, (library("STOP"), "was to pause"),
                     (other(fault="{label: aima.service=nobody}"), "no native engine of this run"),
                     fault="{" + LABEL + ", action: pause}"),
    "wal-reader": Row(START, (holder("holding reader"), "holds no lock"),
                      (other(fault="{database: /no/such/file}"), "cannot be held")),
    "database-lock": Row(START, (holder("holding write"), "lists no lock"),
                         (other(fault="{database: /no/such/file}"), "cannot be held")),
    "corrupt-page": Row(START + STOP, (library("pwrite"), "is seen by a quick check"),
                        (library(f"pwrite={errno.EIO}"), "cannot write")),
}


class LyingEngine:
    """A proxy of the engine's socket: what matches is answered with 204, and not done, or refused."""

    def __init__(self, path, lies, answer):
        self.path, self.lies, self.answer = path, re.compile(lies), answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(client,), daemon=True).start()

    def one(self, client):
        with client:
            asked = b""
            while b"\r\n\r\n" not in asked:
                more = client.recv(65536)
                if not more:
                    return
                asked += more
            head, body = asked.split(b"\r\n\r\n", 1)
            if self.lies.search(head.split(b"\r\n")[0].decode()):
                client.sendall(f"HTTP/1.1 {self.answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                               .encode())
                return
            # One request a connection: what follows is the rest of its body.
            head = re.sub(rb"\r\nConnection:[^\r]*", b"", head, flags=re.I) + b"\r\nConnection: close"
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect("/var/run/docker.sock")
                engine.sendall(head + b"\r\n\r\n" + body)
                back = threading.Thread(target=self.pass_on, args=(client, engine), daemon=True)
                back.start()
                self.pass_on(engine, client)

    @staticmethod
    def pass_on(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Proofs(HarnessTest):
    def harness_with(self, says):
        """A copy of the programs, with another aima-hold-database: it is found beside the harness."""
        folder = self.path / "bin"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for program in pathlib.Path(HARNESS).parent.iterdir():
            (folder / program.name).symlink_to(program)
        (folder / "aima-harness").unlink()
        shutil.copy2(HARNESS, folder / "aima-harness")
        (folder / "aima-hold-database").unlink()
        (folder / "aima-hold-database").write_text(f"#!/bin/sh\necho {says}\nexec sleep 60\n")
        (folder / "aima-hold-database").chmod(0o755)
        return str(folder / "aima-harness")

    def run_steps(self, steps, how=None, provider="native"):
        how = how or {}
        file = self.path / "proofs.yaml"
        file.write_text(HEAD + steps)
        environment = dict(self.environment)
        if "preload" in how:
            environment |= {"LD_PRELOAD": LIBRARY, "AIMA_SUPPRESS": how["preload"]}
        if "engine" in how:
            environment["DOCKER_HOST"] = "unix://" + how["engine"]
        harness = self.harness_with(how["holder"]) if "holder" in how else HARNESS
        done = subprocess.run([harness, "run", str(file), "--root", ROOT, "--out",
                               str(self.path / "runs"), "--provider", provider], env=environment,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=90)
        self.output = done.stdout
        self.assertEqual(list((self.path / "tmp").iterdir()), [], self.output)
        latest = self.path / "runs" / "latest"
        self.verdict = json.loads((latest / "verdict.json").read_text())
        self.events = [json.loads(line) for line in (latest / "history.jsonl").read_text().splitlines()]
        return done.returncode

    def of_kind(self, kind):
        return [event for event in self.events if event["event"] == kind]

    def assert_inconclusive(self, status, name, reason):
        self.assertEqual(status, 2, self.output)
        answers = {f["criterion"]: f["answer"].lower() for f in self.verdict["findings"]}
        self.assertNotIn("fail", answers.values(), self.output)
        self.assertEqual(answers["1"], "inconclusive", self.output)
        self.assertEqual(answers["run"], "inconclusive", self.output)
        self.assertEqual(self.of_kind("fault.struck"), [], self.output)
        missed = self.of_kind("fault.missed")
        self.assertEqual(len(missed), 1, self.output)
        self.assertIn(reason, missed[0]["reason"])
        told = self.verdict["faults"]
        self.assertTrue(any(line.startswith(name) and "missed" in line for line in told), told)

    def each(self):
        for name, row in ROWS.items():
            with self.subTest(fault=name):
                yield name, row

    def test_every_fault_has_a_row(self):
        listed = json.loads(subprocess.run([HARNESS, "list", "faults", "--json"], text=True, check=True,
                                           stdout=subprocess.PIPE).stdout)
        names = {one["name"] for one in listed["faults"]}
        self.assertEqual(names, set(ROWS))

    def not_done(self, kind):
        for name, row in self.each():
            how, reason = getattr(row, kind)
            steps = how.get("before") or row.before
            fault = how.get("fault") or row.fault
            # A death that nothing caused is not missed of the daemon, also when the steps go on.
            for when in ("", ", when: {after: 1ms}") if row.after == DIES else ("",):
                with self.subTest(fault=name, when=when):
                    arguments = "{" + f"{name}: {fault}{when}" + "}"
                    status = self.run_steps(steps + f"  - fault: {arguments}\n" + row.after, how)
                    self.assert_inconclusive(status, name, reason)

    def test_suppressed(self):
        self.not_done("suppressed")

    def test_refused(self):
        self.not_done("refused")

    def test_mistimed(self):
        """Its moment never comes, or not before the steps are over."""
        for name, row in self.each():
            for when, reason in (("log: never said", "no log line"), ("after: 60m", "the run ended")):
                with self.subTest(fault=name, when=when):
                    arguments = "{" + f"{name}: {row.fault}, when: {{{when}}}" + "}"
                    status = self.run_steps(row.before + f"  - fault: {arguments}\n" + row.after)
                    self.assert_inconclusive(status, name, reason)

    def test_struck_before(self):
        """What was so already is no strike: a second pause, an engine that is gone."""
        status = self.run_steps(START + "  - fault: pause\n  - fault: {pause: {}}\n" + LOOK)
        self.assertEqual(status, 2, self.output)
        self.assertIn("stopped before", self.of_kind("fault.missed")[0]["reason"])
        kill = "  - fault: {container: {" + LABEL + ", action: kill}, when: {request: health}}\n"
        status = self.run_steps(SERVICE + kill + "  - fault: {container: {" + LABEL + ", action: kill}}\n"
                                + "  - http: GET /health\n    criterion: 1\n")
        self.assertEqual(status, 2, self.output)
        self.assertIn("had ended", self.of_kind("fault.missed")[0]["reason"])

    @unittest.skipUnless(os.environ.get("AIMA_TEST_DOCKER"), "AIMA_TEST_DOCKER is not set")
    def test_an_engine_that_lies_or_refuses(self):
        for action in ("pause", "kill", "stop"):
            lies = f"^POST [^ ]*/{action}"
            for answer, reason in (("204 No Content", "was to " + action), ("500 Oops", "500")):
                with self.subTest(action=action, answer=answer):
                    path = str(self.path / f"{action}-{answer[:3]}.sock")
                    engine = LyingEngine(path, lies, answer)
                    fault = "  - fault: {container: {" + LABEL + f", action: {action}" + "}}\n"
                    status = self.run_steps(SERVICE + fault + LOOK, {"engine": path}, "docker")
                    engine.listener.close()
                    self.assert_inconclusive(status, "container", reason)

    def test_the_steps_signal_and_pause(self):
        kill = "  - signal: KILL\n" + DIES
        pause = "  - pause: {}\n    criterion: 1\n    expect: '.state == \"T\"'\n"
        for steps, how in ((START + kill, library("KILL")),
                           (START + kill, library(f"KILL={errno.EPERM}")),
                           (DOWN + kill, {}),
                           (START + pause, library("STOP")),
                           (START + pause, library(f"STOP={errno.EPERM}")),
                           (DOWN + pause, {})):
            with self.subTest(steps=steps, how=how):
                status = self.run_steps(steps, how)
                self.assertEqual(status, 2, self.output)
                answers = [f["answer"].lower() for f in self.verdict["findings"]]
                self.assertNotIn("fail", answers, self.output)

    def test_they_strike_when_they_are_let(self):
        """The same rows, left alone: the library and the table are no reason by themselves."""
        for name, row in self.each():
            status = self.run_steps(row.before + "  - fault: {" + f"{name}: {row.fault}" + "}\n" + row.after,
                                    library(""))
            self.assertEqual(status, 0, self.output)
            self.assertEqual(len(self.of_kind("fault.struck")), 1, self.output)


if __name__ == "__main__":
    main()
