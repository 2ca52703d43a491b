#!/usr/bin/env python3
"""The harness from outside: exit statuses, bounded time, nothing left behind.

usage: blackbox_test.py HARNESS SOURCE_ROOT
Each case runs the harness on a daemon with bad manners (fixtures/misbehaving) and then counts, by
/proc alone, what carries the run's mark. Needs no container engine.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

# What a sanitizer build is told; nothing in others.
SANITIZERS = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
# Under one less is flooded, and all may take longer.
LESS, PATIENCE = (8, 4) if SANITIZERS else (1, 1)

HARNESS, ROOT = sys.argv[1:3]
del sys.argv[1:3]

SCENARIO = """scenario: {name}
title: {name}
target: misbehaving
timeout: {timeout}
criteria:
  1: it does what is asked
steps:
{steps}
"""


MARK = f"blackbox-{os.getpid()}"


class BlackBox(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix=MARK)
        self.path = pathlib.Path(self.folder.name)
        (self.path / "tmp").mkdir()
        self.environment = {
            **SANITIZERS,
            "PATH": os.environ["PATH"],
            "HOME": self.folder.name,
            "TMPDIR": str(self.path / "tmp"),
            "NO_COLOR": "1",
        }

    def tearDown(self):
        self.folder.cleanup()

    def write(self, steps, name="case", timeout="20s"):
        text = SCENARIO.format(name=name, timeout=timeout, steps=steps)
        file = self.path / f"{name}.yaml"
        file.write_text(text)
        return str(file)

    def command(self, file, how, *more, provider="native"):
        return [HARNESS, "run", file, "--root", ROOT, "--out", str(self.path / "runs"), "--provider",
                provider, "--set", f"target.vars.how={how}", *more]

    def run_harness(self, file, how, *more, seconds=20):
        begin = time.monotonic()
        done = subprocess.run(self.command(file, how, *more), env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60 * PATIENCE)
        self.assertLess(time.monotonic() - begin, seconds * PATIENCE, done.stdout)
        self.assert_nothing_left(done.stdout)
        return done

    def assert_nothing_left(self, output=""):
        sandboxes = list((self.path / "tmp").iterdir())
        self.assertEqual(sandboxes, [], output)
        self.assertEqual(self.sandbox_processes(), [], output)

    def sandbox_processes(self):
        """Whoever has its working folder, HOME or arguments in our temporary folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                folder = os.readlink(entry / "cwd")
                environment = (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            ours = self.folder.name.encode()
            if state != "Z" and (folder.startswith(str(self.path / "tmp"))
                                 or b"HOME=" + ours + b"/tmp" in environment):
                found.append(entry.name)
        return found

    def verdict(self):
        return json.loads((self.path / "runs" / "latest" / "verdict.json").read_text())

    def finding(self, criterion):
        found = [f for f in self.verdict()["findings"] if f["criterion"] == criterion]
        self.assertEqual(len(found), 1)
        return found[0]

    def test_a_daemon_that_behaves_passes(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "behaves")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertTrue(done.stdout.startswith("seed "), done.stdout)

    def test_no_daemon_action_costs_little(self):
        file = self.write("  - shell: 'true'\n    criterion: 1\n")
        begin = time.monotonic()
        done = self.run_harness(file, "behaves")
        # Nothing was proven about a daemon that nobody started.
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("no step started a daemon", done.stdout)
        self.assertLess(time.monotonic() - begin, 5)

    def bad_start(self, how, text, seconds=10):
        file = self.write("  - start: {}\n  - shell: 'true'\n    criterion: 1\n")
        done = self.run_harness(file, how, seconds=seconds)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(self.finding("run")["answer"].lower(), "fail")
        self.assertIn(text, done.stdout)
        return done

    def test_dies_at_start(self):
        self.bad_start("dies-at-start", "exit 7")
        events = self.history()
        gone = [e for e in events if e["event"] == "daemon.not_started"]
        self.assertEqual(gone[0]["kind"], "exited")
        self.assertLessEqual(len(gone[0]["last_log"]), 40)
        self.assertGreater(len(gone[0]["last_log"]), 0)

    def test_never_ready(self):
        done = self.bad_start("never-ready", "not ready")
        self.assertRegex(done.stdout, "The daemon's last lines\n +starting, any minute now")

    def test_dies_early(self):
        file = self.write("  - start: {}\n  - await: {log: 'never said', within: 3s}\n    criterion: 1\n")
        done = self.run_harness(file, "dies-early")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(self.finding("run")["answer"].lower(), "fail")

    def test_crashes(self):
        file = self.write("  - start: {}\n  - await: {log: 'never said', within: 3s}\n    criterion: 1\n")
        done = self.run_harness(file, "crashes")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("SIGSEGV", done.stdout)

    def test_segfaults_when_told_to_leave(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "segfaults")
        self.assertEqual(done.returncode, 1, done.stdout)

    def test_ignores_term(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "ignores-term", seconds=12)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(self.finding("run")["answer"].lower(), "fail")

    def test_ignores_term_at_the_end(self):
        file = self.write("  - start: {}\n    criterion: 1\n")
        done = self.run_harness(file, "ignores-term", seconds=12)
        self.assertEqual(done.returncode, 1, done.stdout)

    def test_leaves_child(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "leaves-child")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("left behind", done.stdout)

    def test_hides_child(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        for how in ("hides-child", "escapes-child"):
            done = self.run_harness(file, how)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("left behind by the daemon", done.stdout)

    def fleeing(self):
        """Our processes of the manner `flees`: by their arguments alone, all else they have shed."""
        ours = f"\0fleeing\0--times\0{os.getpid()}\0".encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and ours in (entry / "cmdline").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue
        return found

    def test_flees(self):
        """What re-forks every millisecond in new sessions, without environment, is ended and named."""
        ways = json.loads(subprocess.run([HARNESS, "doctor", "--json"], env=self.environment, text=True,
                                         stdout=subprocess.PIPE, check=True).stdout)["offers"]
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        for way, offer in (("cgroup", "cgroup v2"), ("pid-namespace", "PID namespace")):
            if not ways[offer]["there"]:
                continue
            done = self.run_harness(file, "flees", "--contain", way,
                                    "--set", f"target.vars.times={os.getpid()}")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("left behind by the daemon", done.stdout)
            self.assertIn(f"contained by {offer}", done.stdout)
            self.assertEqual([self.fleeing() for _ in range(10)], [[]] * 10, way)

    def test_multiplies(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "multiplies", "--set", "target.vars.times=500")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("left behind by the daemon", done.stdout)

    def test_ignores_all(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {signal: HUP}\n")
        done = self.run_harness(file, "ignores-all", seconds=12)
        self.assertEqual(done.returncode, 1, done.stdout)

    def patient(self):
        """The same target, with time to get ready and to leave."""
        text = (pathlib.Path(ROOT) / "fixtures/targets/misbehaving.yaml").read_text()
        file = self.path / "patient.yaml"
        file.write_text(text.replace("timeout: 2s", "timeout: 50s")
                        .replace("shutdown_timeout: 1s", "shutdown_timeout: 30s"))
        return ["--target", str(file)]

    def until(self, wanted):
        deadline = time.monotonic() + 20
        while not any(wanted(event) for event in self.history()):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)

    def assert_told(self, log):
        """A finding of `run`, and the last lines that the daemon wrote, at most 40 of them."""
        self.assertEqual(self.finding("run")["answer"].lower(), "fail")
        kept = [e["last_log"] for e in self.history() if e.get("last_log")]
        self.assertTrue(kept, "no event holds the daemon's last lines")
        self.assertTrue(all(len(lines) <= 40 for lines in kept))
        self.assertIn(log, "\n".join(kept[-1]))
        bug = next(b for b in self.verdict()["bugs"] if b["criterion"] == "run")
        self.assertIn(log, "\n".join(bug["last_log"]))

    def test_exits_later(self):
        file = self.write("  - start: {}\n  - await: {log: never, within: 5s}\n    criterion: 1\n")
        done = self.run_harness(file, "exits-later", "--set", "target.vars.times=1")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assert_told("ready")

    def test_stops_itself(self):
        self.bad_start("stops-early", "not ready")
        self.assert_told("about to stop")
        subprocess.run(["rm", "-r", str(self.path / "runs")], check=True)
        file = self.write("  - start: {}\n    criterion: 1\n"
                          "  - await: {process: {}, until: '.state == \"T\"'}\n  - stop: {}\n")
        done = self.run_harness(file, "stops", seconds=12)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("state T", done.stdout)
        self.assert_told("ready")

    def test_becomes_another_program(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "becomes-another")
        self.assertIn(done.returncode, (0, 1), done.stdout)  # SIGTERM ends it, as it may

    def test_each_manner_has_a_case_here(self):
        listed = subprocess.run([str(pathlib.Path(HARNESS).parent / "misbehaving-daemon")], text=True,
                                stderr=subprocess.PIPE).stderr.splitlines()[1:]
        cases = pathlib.Path(__file__).read_text()
        cases += (pathlib.Path(__file__).parent / "hostile_input_test.py").read_text()
        for manner in (line.split()[0].removeprefix("/") for line in listed):
            self.assertIn(f'"{manner}"', cases)

    def test_floods_a_gigabyte_in_bounded_memory(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n", timeout="60s")
        command = self.command(file, "floods", "--set", f"target.vars.times={1024 // LESS}",
                               *self.patient(), "--keep")
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        output = process.stdout.read().decode()
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0, output)
        self.assertLess(usage.ru_maxrss, 128 * 1024, "KiB of the harness or of one child")
        for folder in (self.path / "runs", self.path / "tmp"):
            size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
            self.assertLess(size, 32 << 20, folder)
        subprocess.run([HARNESS, "clean", "--root", ROOT], env=self.environment, check=True,
                       stdout=subprocess.DEVNULL)
        self.assert_nothing_left(output)

    def test_a_stranger_on_the_port_is_an_error(self):
        file = self.write("  - await: {file: go, within: 10s}\n  - start: {}\n    criterion: 1\n")
        process = subprocess.Popen(self.command(file, "behaves"), env=self.environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 10
        while not self.history():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        variables = self.history()[0]["variables"]
        with socket.create_server(("127.0.0.1", int(variables["port"]))):
            (pathlib.Path(variables["sandbox"]) / "go").touch()
            output, _ = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 3, output)
        self.assertIn(f"port {variables['port']} is held by process {os.getpid()} (",
                      " ".join(output.split()))
        self.assert_nothing_left(output)

    def stranger_while(self, command, steps, occupied):
        """Runs the steps on the command (a script of ours and its words, or ""); occupies the port for
        the time from the file `now` in the sandbox, which tells it, answered with `go`, to the end."""
        more = ["--set", "target.command=" + command] if command else []
        process = subprocess.Popen(
            self.command(self.write(steps), "behaves", *more), env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
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
            self.assertIn(f"port {port} is held by process {os.getpid()} (", output)
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
        self.assertIn(f"port {port} is held by process {os.getpid()} (", output)

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
        self.assertIn(f"port {port} is held by process {os.getpid()} (", output)
        status, output, port = self.stranger_while(command + "KEEP", self.DOWN, False)
        self.assertEqual(status, 1, output)
        self.assertRegex(output, f"port {port} is still held by process [0-9]+ .*parent.py")

    def test_an_engine_that_hangs(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        path = str(self.path / "engine.sock")
        with socket.socket(socket.AF_UNIX) as engine:
            engine.bind(path)
            engine.listen(16)  # the kernel accepts; nobody ever answers
            self.environment["DOCKER_HOST"] = "unix://" + path
            for provider, status in (("docker", 3), ("auto", 0)):
                begin = time.monotonic()
                done = subprocess.run(self.command(file, "behaves", provider=provider),
                                      env=self.environment, text=True, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, timeout=60)
                self.assertEqual(done.returncode, status, done.stdout)
                self.assertLess(time.monotonic() - begin, 10)
                if provider == "docker":
                    self.assertIn(path + " did not answer", done.stdout)
                else:
                    self.assertIn(path, (self.path / "runs/latest/history.jsonl").read_text())
        self.assert_nothing_left()

    def test_told_while_the_daemon_takes_its_time_to_leave(self):
        """A stop cuts short how long an unwilling daemon is waited for at the end."""
        file = self.write("  - start: {}\n    criterion: 1\n")
        process = subprocess.Popen(self.command(file, "ignores-term", *self.patient()),
                                   env=self.environment, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        self.until(lambda e: e["event"] == "signal.sent")
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - begin, 6, output)
        self.assertEqual(process.returncode, 130, output)
        self.assertEqual(self.verdict()["answer"].lower(), "inconclusive")
        self.assert_nothing_left(output)

    def test_second_and_third_interruption(self):
        file = self.write("  - start: {}\n  - shell: sleep 30\n    criterion: 1\n"
                          "finally:\n  - shell: trap '' TERM; sleep 20\n", timeout="30s")
        for times in (2, 3):
            process = subprocess.Popen(self.command(file, "ignores-term", *self.patient()),
                                       env=self.environment, text=True, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
            self.until(lambda e: e["event"] == "step.begin" and e["step"] == "2")
            process.send_signal(signal.SIGINT)
            self.until(lambda e: e["event"] == "interrupted")
            for _ in range(times - 1):
                process.send_signal(signal.SIGINT)
                time.sleep(0.02)  # two of the same signal that are pending at once are one
            begin = time.monotonic()
            output, _ = process.communicate(timeout=60)
            self.assertLess(time.monotonic() - begin, 6, output)
            self.assertIn(process.returncode, (130,) if times == 2 else (130, -signal.SIGINT), output)
            if times == 3:
                subprocess.run([HARNESS, "clean", "--root", ROOT], env=self.environment, check=True,
                               stdout=subprocess.DEVNULL)
            self.assert_nothing_left(output)
            subprocess.run(["rm", "-r", str(self.path / "runs")], check=True)

    def test_floods(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "floods", "--set", f"target.vars.times={64 // LESS}")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_missing_executable_is_an_error_not_a_fail(self):
        file = self.write("  - start: {}\n    criterion: 1\n")
        done = self.run_harness(file, "behaves", "--set", "target.command=/no/such/daemon")
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("/no/such/daemon", done.stdout)

    def test_a_refused_start_can_be_demanded(self):
        file = self.write("  - start: {fails: {exit: 7, log: '.'}}\n    criterion: 1\n")
        self.assertEqual(self.run_harness(file, "dies-at-start").returncode, 0)
        self.assertEqual(self.run_harness(file, "behaves").returncode, 1)

    def test_kill_and_restart(self):
        file = self.write("  - repeat: {times: 3, steps: [{restart: {signal: KILL}}]}\n"
                          "  - signal: KILL\n  - await: {exit: {signal: KILL}}\n    criterion: 1\n"
                          .replace("  - repeat", "  - start: {}\n  - repeat", 1))
        done = self.run_harness(file, "behaves")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_pause_is_proven_and_healed(self):
        file = self.write("  - start: {}\n  - pause: {}\n    criterion: 1\n    expect: '.state == \"T\"'\n")
        done = self.run_harness(file, "behaves")
        self.assertEqual(done.returncode, 0, done.stdout)
        kinds = [e["event"] for e in self.history()]
        self.assertLess(kinds.index("fault.debt"), kinds.index("fault.struck"))
        self.assertIn("fault.healed", kinds)

    def test_unmet_needs_are_skipped(self):
        file = self.write("  - start: {}\n    criterion: 1\n")
        text = pathlib.Path(file).read_text().replace("timeout:", "needs: [no-such-program]\ntimeout:")
        pathlib.Path(file).write_text(text)
        self.assertEqual(self.run_harness(file, "behaves").returncode, 2)
        self.assertEqual(self.run_harness(file, "behaves", "--allow-skip").returncode, 0)

    def test_a_report_that_cannot_be_written_fails_before_the_run(self):
        file = self.write("  - start: {}\n    criterion: 1\n")
        done = self.run_harness(file, "behaves", "--report", "junit=/no/such/folder/x.xml")
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertFalse((self.path / "runs").exists())

    def test_closed_output_is_an_error_and_still_heals(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        command = self.command(file, "behaves")
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, env=self.environment, stdout=full,
                                  stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assert_nothing_left()

    def interrupted(self, number, steps, at, times=1):
        file = self.write(steps, timeout="30s")
        process = subprocess.Popen(self.command(file, "behaves"), env=self.environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 20
        while not any(e["event"] == "step.begin" and e["step"] == at for e in self.history()):
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(process.poll())
            time.sleep(0.005)
        for _ in range(times):
            process.send_signal(number)
        output, _ = process.communicate(timeout=30)
        return process.returncode, output

    def history(self):
        files = sorted((self.path / "runs").glob("*/history.jsonl")) if (
            self.path / "runs").exists() else []
        if not files:
            return []
        lines = files[-1].read_text(errors="replace").splitlines()
        events = []
        for line in lines:
            try:
                events.append(json.loads(line))
            except ValueError:
                break
        return events

    STEPS = ("  - start: {}\n  - shell: sleep 30\n    criterion: 1\n  - stop: {}\n")

    def test_interrupted_once_heals_and_tells(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            status, output = self.interrupted(number, self.STEPS, "2")
            self.assertEqual(status, 128 + number, output)
            self.assert_nothing_left(output)
            self.assertEqual(self.verdict()["answer"].lower(), "inconclusive")
            subprocess.run(["rm", "-r", str(self.path / "runs")], check=True)

    def test_interrupted_in_a_wait_and_in_the_background(self):
        for steps, at in (
                ("  - start: {}\n  - await: {log: never, within: 25s}\n    criterion: 1\n", "2"),
                ("  - start: {}\n  - background: g\n    shell: sleep 30\n  - join: g\n    criterion: 1\n", "3"),
                ("  - start: {}\n  - pause: {}\n  - await: {file: nothing, within: 25s}\n    criterion: 1\n", "3"),
                ("  - start: {}\n  - parallel: [{shell: sleep 30}, {shell: sleep 30}]\n"
                 "  - shell: 'true'\n    criterion: 1\n", "2")):
            status, output = self.interrupted(signal.SIGINT, steps, at)
            self.assertEqual(status, 130, output)
            self.assert_nothing_left(output)
            for run in (self.path / "runs").iterdir():
                if not run.is_symlink():
                    subprocess.run(["rm", "-r", str(run)], check=True)

    def test_killed_harness_leaves_a_history_and_clean_removes_the_rest(self):
        for at, steps in (("2", self.STEPS),
                          ("3", "  - start: {}\n  - pause: {}\n  - shell: sleep 30\n    criterion: 1\n")):
            status, output = self.interrupted(signal.SIGKILL, steps, at)
            self.assertEqual(status, -signal.SIGKILL, output)
            runs = [r for r in (self.path / "runs").iterdir() if not r.is_symlink()]
            judged = subprocess.run([HARNESS, "judge", str(runs[0]), "--root", ROOT, "--out",
                                     str(self.path / "runs")], env=self.environment, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(judged.returncode, 2, judged.stdout)
            noted = subprocess.run(self.command(self.write("  - shell: 'true'\n    criterion: 1\n",
                                                           name="next"), "behaves"),
                                   env=self.environment, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
            self.assertIn("aima-harness clean", noted.stderr)
            cleaned = subprocess.run([HARNESS, "clean", "--root", ROOT], env=self.environment,
                                     text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(cleaned.returncode, 0, cleaned.stdout)
            self.assert_nothing_left(cleaned.stdout)
            subprocess.run(["rm", "-r", str(self.path / "runs")], check=True)

    def test_unknown_words_are_refused_with_a_place(self):
        file = self.write("  - strat: {}\n    criterion: 1\n")
        done = self.run_harness(file, "behaves")
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertRegex(done.stdout, re.escape("case.yaml") + r":8:\d+")
        self.assertEqual(subprocess.run([HARNESS, "run", "--no-such-flag"], env=self.environment,
                                        stderr=subprocess.DEVNULL).returncode, 4)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
