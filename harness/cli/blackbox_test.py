#!/usr/bin/env python3
"""Daemons with bad manners, each ended and named in bounded time, with nothing left behind.

usage: blackbox_test.py HARNESS SOURCE_ROOT [unittest options]
"""
import json
import os
import pathlib
import subprocess
import sys

from misbehaving import MisbehavingTest
from outside import HARNESS, LESS, ROOT, main


class BlackBox(MisbehavingTest):
    def test_a_daemon_that_behaves_passes(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "behaves")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertTrue(done.stdout.startswith("seed "), done.stdout)

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
        for how in ("hides-child", "escapes-child", "leaves-thread", "leaves-execs"):
            done = self.run_harness(file, how)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("left behind by the daemon", done.stdout)

    def test_bears_child(self):
        """Whose death is under way when the daemon has ended: no leftover."""
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "bears-child")
        self.assertEqual(done.returncode, 0, done.stdout)

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
        cases = "".join(file.read_text() for file in pathlib.Path(__file__).parent.glob("*_test.py"))
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

    def test_floods(self):
        file = self.write("  - start: {}\n    criterion: 1\n  - stop: {}\n")
        done = self.run_harness(file, "floods", "--set", f"target.vars.times={64 // LESS}")
        self.assertEqual(done.returncode, 0, done.stdout)

    # A daemon that on SIGTERM drops every new connection, and closes its port three seconds later.
    DROPS = r"""import ctypes, os, signal, socket, struct, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def drop(*_):
    nothing = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF_RET 0
    program = struct.pack("HP", 1, ctypes.addressof(nothing))
    listener.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER
    time.sleep(3)
    listener.close()
signal.signal(signal.SIGTERM, drop)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
while True:
    signal.pause()
"""

    def test_a_port_is_closed_from_the_first_connection_that_was_not_accepted(self):
        script = self.path / "drops.py"
        script.write_text(self.DROPS)
        file = self.write("  - start: {}\n  - signal: TERM\n  - await: {port: closed}\n    criterion: 1\n"
                          "    expect: .unanswered > 9 and .closed_after_ms < .elapsed_ms / 2\n"
                          "  - signal: KILL\n  - await: {exit: {signal: KILL}}\n")
        done = self.run_harness(file, "behaves", "--set",
                                f"target.command={sys.executable} {script} ${{port}}")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    main()
