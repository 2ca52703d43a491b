#!/usr/bin/env python3
"""A stranger on the daemon's port is an error of the surroundings, never a failure of the daemon.

usage: port_strangers_test.py HARNESS SOURCE_ROOT [unittest options]
"""
import contextlib
import os
import pathlib
import socket
import sys
import time

from misbehaving import MisbehavingTest
from outside import main


class PortStrangers(MisbehavingTest):
    def test_a_stranger_on_the_port_is_an_error(self):
        file = self.write("  - await: {file: go, within: 10s}\n  - start: {}\n    criterion: 1\n")
        process = self.begin_harness(file, "behaves")
        deadline = time.monotonic() + 10
        while not self.history():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        variables = self.history()[0]["variables"]
        with socket.create_server(("127.0.0.1", int(variables["port"]))):
            (pathlib.Path(variables["sandbox"]) / "go").touch()
            output, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 3, output)
        self.assert_names_us(variables["port"], " ".join(output.split()))
        self.assert_nothing_left(output)

    def assert_names_us(self, port, output):
        self.assertRegex(output, f"port {port} is held by a process that is not of this run.*, end it: "
                                 f"process {os.getpid()} \\(")

    def stranger_while(self, command, steps, occupied):
        """Runs the steps on the command (a script of ours and its words, or ""); occupies the port for
        the time from the file `now` in the sandbox, which tells it, answered with `go`, to the end."""
        more = ["--set", "target.command=" + command] if command else []
        process = self.begin_harness(self.write(steps), "behaves", *more)
        deadline = time.monotonic() + 10
        while not (said := [f for f in (self.path / "tmp").glob("aima-run-*/now") if f.read_text()]):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                self.fail(process.communicate()[0])
            time.sleep(0.005)
        port = int(said[0].read_text())
        with socket.create_server(("127.0.0.1", port)) if occupied else contextlib.nullcontext():
            (said[0].parent / "go").touch()
            output, _ = process.communicate(timeout=30)
        self.assert_nothing_left(output)
        return process.returncode, " ".join(output.split()), port  # its lines break anywhere

    LATE = """#!/bin/sh
echo "$1" >"$SANDBOX/now"
shift
until [ -e "$SANDBOX/go" ]; do sleep 0.01; done
exec "$@"
"""

    def test_a_stranger_who_takes_the_port_while_the_daemon_starts(self):
        """After the harness has looked, before the daemon binds: not the daemon's fault."""
        script = self.path / "late.sh"
        script.write_text(self.LATE)
        command = (f"env 'SANDBOX=${{sandbox}}' sh {script} ${{port}} ${{bin}}/misbehaving-daemon behaves --port "
                   "${port}")
        for steps in ("  - start: {}\n    criterion: 1\n",
                      "  - start: {fails: {}}\n    criterion: 1\n"):
            status, output, port = self.stranger_while(command, steps, True)
            self.assertEqual(status, 3, output)
            self.assert_names_us(port, output)
        status, output, _ = self.stranger_while(command, "  - start: {}\n    criterion: 1\n", False)
        self.assertEqual(status, 0, output)

    DOWN = """  - start: {}
  - signal: KILL
  - await: {exit: {signal: KILL}}
  - shell: echo ${port} >"${sandbox}/now"
  - await: {file: go, within: 10s}
  - start: {}
    criterion: 1
"""

    def test_a_stranger_who_takes_the_port_while_the_daemon_is_down(self):
        status, output, port = self.stranger_while("", self.DOWN, True)
        self.assertEqual(status, 3, output)
        self.assert_names_us(port, output)

    # A daemon whose child outlives it; KEEP: with the listener.
    PARENT = r"""import os, signal, socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
if os.fork() == 0:
    if sys.argv[2] != "KEEP":
        listener.close()
    time.sleep(60)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
signal.pause()
"""

    def test_what_the_run_left_is_told_from_a_stranger_on_the_port(self):
        script = self.path / "parent.py"
        script.write_text(self.PARENT)
        command = f"{sys.executable} {script} ${{port}} "
        _, output, port = self.stranger_while(command + "LET", self.DOWN, True)
        self.assertEqual(self.finding("1")["answer"].lower(), "error", output)
        self.assert_names_us(port, output)
        status, output, port = self.stranger_while(command + "KEEP", self.DOWN, False)
        self.assertEqual(status, 1, output)
        self.assertRegex(output, f"port {port} is still held by process [0-9]+ .*parent.py")


if __name__ == "__main__":
    main()
