#!/usr/bin/env python3
"""Faults in whole runs of the harness, on the aima daemon with the native provider.

usage: faults_test.py HARNESS SOURCE_ROOT [unittest options]
Each moment (`when`) strikes when it is told to; a fault that does not strike makes the run
inconclusive, whatever its criteria say; each debt is on disk before its blow and is paid in reverse.
"""
import json
import subprocess

from outside import HARNESS, ROOT, SERVICE, HarnessTest, main

HEAD = """scenario: faults
title: faults
target: aima
timeout: 20s
criteria:
  1: it is looked at
steps:
"""
LOOK = "  - http: GET /health\n    criterion: 1\n"
DOWN = "  - start: {}\n  - signal: KILL\n  - await: {exit: {signal: KILL}}\n"
TRUE = "  - shell: 'true'\n    criterion: 1\n"


class Faults(HarnessTest):
    def run_steps(self, steps, expected, *more):
        file = self.path / "faults.yaml"
        file.write_text(HEAD + steps)
        done = subprocess.run([HARNESS, "run", str(file), "--root", ROOT, "--out",
                               str(self.path / "runs"), "--provider", "native", *more],
                              env=self.environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        self.output = done.stdout
        latest = self.path / "runs" / "latest"
        if latest.exists():
            lines = (latest / "history.jsonl").read_text().splitlines()
            self.events = [json.loads(line) for line in lines]
        self.assertIn(done.returncode, expected if isinstance(expected, tuple) else (expected,),
                      done.stdout)
        self.assertEqual(list((self.path / "tmp").iterdir()), [], done.stdout)

    def of_kind(self, kind):
        return [e for e in self.events if e["event"] == kind]

    def assert_struck(self, *faults):
        """Owed before struck, struck once each, healed in reverse."""
        owed = self.of_kind("fault.debt")
        self.assertEqual([e["fault"] for e in owed], list(faults), self.output)
        struck = {e["id"]: e["n"] for e in self.of_kind("fault.struck")}
        for debt in owed:
            self.assertIn(debt["id"], struck, self.output)
            self.assertLess(debt["n"], struck[debt["id"]])
        healed = [(e["id"], e["ok"]) for e in self.of_kind("fault.healed")]
        self.assertEqual(healed, [(e["id"], True) for e in reversed(owed)], self.output)

    def assert_missed(self, reason):
        self.assertEqual(self.of_kind("fault.struck"), [], self.output)
        missed = self.of_kind("fault.missed")
        self.assertEqual(len(missed), 1, self.output)
        self.assertIn(reason, missed[0]["reason"])

    def test_after_a_time(self):
        self.run_steps("  - start: {}\n  - fault: {kill: {}, when: {after: 50ms}}\n"
                       "  - await: {exit: {signal: KILL}}\n    criterion: 1\n", 0)
        self.assert_struck("kill")
        armed = next(e for e in self.events if e["event"] == "step.end" and e["step"] == "2")
        struck = self.of_kind("fault.struck")[0]
        self.assertGreaterEqual(struck["t_us"] - armed["begin_us"], 50000)

    def test_at_the_nth_request(self):
        request = "  - http: GET /api/model/list\n"
        self.run_steps("  - start: {}\n  - fault: {kill: {}, when: {request: model/list, nth: 3}}\n"
                       + request * 2 + "  - http: GET /api/engine/list\n"
                       "  - background: last\n    http: GET /api/model/list\n"
                       "  - await: {exit: {signal: KILL}}\n    criterion: 1\n", 0)
        self.assert_struck("kill")
        begun = [e["n"] for e in self.of_kind("request.begin")]
        self.assertGreater(self.of_kind("fault.debt")[0]["n"], begun[3])

    def test_at_the_nth_line_of_the_log(self):
        self.run_steps("  - start: {}\n  - fault: {kill: {}, when: {log: info, nth: 2}}\n"
                       "  - await: {exit: {signal: KILL}}\n    criterion: 1\n", 0)
        self.assert_struck("kill")

    def test_at_a_line_of_a_daemon_that_is_started_later(self):
        self.run_steps("  - fault: {kill: {}, when: {log: listening on}}\n"
                       "  - start: {}\n  - await: {exit: {signal: KILL}}\n    criterion: 1\n"
                       "  - start: {}\n", (0, 2))  # 2: it struck while the daemon was starting
        self.assert_struck("kill")

    def test_while_the_daemon_is_restarted_again_and_again(self):
        """Whichever moment it hits, it strikes one daemon or misses, and the harness lives."""
        for seed in ("1", "2", "3"):
            self.run_steps("  - start: {}\n  - fault: {wal-reader: {}, when: {random_within: 300ms}}\n"
                           "  - repeat: {times: 8, steps: [{restart: {signal: KILL}}]}\n"
                           "    criterion: 1\n", (0, 2), "--seed", seed)
            self.assertEqual(len(self.of_kind("fault.struck")) + len(self.of_kind("fault.missed")), 1)

    def test_at_random_but_by_the_seed(self):
        steps = ("  - start: {}\n  - fault: {kill: {}, when: {random_within: 200ms}}\n"
                 "  - await: {exit: {signal: KILL}}\n    criterion: 1\n")
        delays = []
        for seed in ("7", "7", "8"):
            self.run_steps(steps, 0, "--seed", seed)
            self.assert_struck("kill")
            seen = next(e for e in self.of_kind("observation") if e["step"] == "2")
            delays.append(seen["document"]["after_ms"])
        self.assertEqual(delays[0], delays[1])
        self.assertNotEqual(delays[0], delays[2])

    def test_a_moment_that_never_comes(self):
        for when, reason in (("after: 60m", "the run ended"), ("log: never said", "no log line"),
                             ("request: /no/such", "more requests"), ("log: '.', nth: 9999", "times")):
            with self.subTest(when=when):
                self.run_steps("  - start: {}\n  - fault: {kill: {}, when: {" + when + "}}\n" + LOOK, 2)
                self.assert_missed(reason)

    def test_each_strikes_and_is_healed(self):
        for fault, before in (("pause", "  - start: {}\n"), ("kill", "  - start: {}\n"),
                              ("wal-reader", "  - start: {}\n"), ("port-taken", DOWN),
                              ("database-lock", "  - start: {}\n"), ("database-lock", DOWN),
                              ("corrupt-page", "  - start: {}\n  - stop: {}\n"),
                              ('{container: {label: "aima.service=${service_id}", action: pause}}',
                               SERVICE)):
            with self.subTest(fault=fault):
                self.run_steps(before + f"  - fault: {fault}\n" + TRUE, 0)
                self.assert_struck("container" if "container" in fault else fault)

    def test_each_that_cannot_strike(self):
        """Suppressed by the state of the world: no strike, no pass."""
        for fault, before in (("{pause: {}, when: {after: 1ms}}", DOWN),
                              ("{kill: {}, when: {after: 1ms}}", DOWN),
                              ("{wal-reader: {}, when: {after: 1ms}}", DOWN),
                              ("{port-taken: {}, when: {after: 1ms}}", "  - start: {}\n"),
                              ("{database-lock: {database: /no/such/file}, when: {after: 1ms}}",
                               "  - start: {}\n"),
                              ("{corrupt-page: {}, when: {after: 1ms}}", "  - start: {}\n")):
            with self.subTest(fault=fault):
                self.run_steps(before + f"  - fault: {fault}\n"
                               "  - shell: sleep 0.2\n" + TRUE, 2)
                self.assertEqual(self.of_kind("fault.struck"), [], self.output)
                self.assertNotEqual(self.of_kind("fault.missed"), [], self.output)

    def test_paid_in_reverse(self):
        self.run_steps("  - start: {}\n  - fault: wal-reader\n  - fault: database-lock\n  - fault: pause\n"
                       + TRUE, 0)
        self.assert_struck("wal-reader", "database-lock", "pause")

    def test_paid_when_a_step_ends_the_scenario(self):
        self.run_steps("  - start: {}\n  - fault: pause\n  - shell: exit 3\n" + TRUE, 2)
        self.assert_struck("pause")

    def test_a_daemon_on_a_taken_port(self):
        self.run_steps("  - fault: port-taken\n"
                       "  - start: {fails: {exit: 69}}\n    criterion: 1\n", 0)
        self.assert_struck("port-taken")


if __name__ == "__main__":
    main()
