#!/usr/bin/env python3
"""Ends the harness at each step of real scenarios, and counts from outside what is left.

usage: interruption_test.py HARNESS SOURCE_ROOT [--provider native|docker] [--long] [unittest options]

SIGINT and SIGTERM: the harness heals, exits 128+n, its verdict is no pass, nothing is left. SIGKILL:
the history that is there judges as inconclusive, the next run says so, and `clean` removes all of it
and nothing else: a process and a container of somebody else, with marks that look alike, live on.
This script is a child subreaper: whatever a run left is a descendant of it, with or without marks.
Without --long a few steps of each scenario are taken; with it, all.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from descendants import adopt_orphans, descendants
from outside import HARNESS, LONG, OPTIONS, ROOT, HarnessTest, main

START = """scenario: {name}
title: {name}
target: aima
timeout: 60s
criteria:
  1: it is looked at
steps:
  - start: {{}}
  - cli: model create --name m --source ollama --repo tinyllama
    capture: {{model_id: .id}}
  - cli: service create --model-id ${{model_id}} --engine-type vllm
    capture: {{service_id: .id}}
  - cli: service start ${{service_id}} --wait --timeout 20
{fault}
  - await: {{file: never-there, within: 25s}}
    criterion: 1
"""
FAULTS = {
    "wal-reader": "  - fault: wal-reader",
    "pause": "  - fault: pause",
    "database-lock": "  - fault: database-lock",
    "port-taken": "  - signal: KILL\n  - await: {exit: {signal: KILL}}\n  - fault: port-taken",
    "armed": "  - fault: {pause: {}, when: {after: 30s}}",
    "container-paused": "  - fault: {container: {label: \"aima.service=${service_id}\", action: pause}}",
}


def docker(*words):
    return subprocess.run(["docker", *words], check=True, text=True, capture_output=True).stdout.split()


class Interruption(HarnessTest):
    def setUp(self):
        super().setUp()
        self.runs = self.path / "runs"
        if "DOCKER_HOST" in os.environ:
            self.environment["DOCKER_HOST"] = os.environ["DOCKER_HOST"]

    def command(self, scenario, runs):
        return [HARNESS, "run", str(scenario), "--root", ROOT, "--out", str(runs),
                "--provider", OPTIONS.provider]

    def harness(self, *words):
        return subprocess.run([HARNESS, *words], env=self.environment, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def steps_of(self, scenario):
        """The paths of all its steps, in the order in which a whole run began them."""
        runs = self.path / "whole"
        done = subprocess.run(self.command(scenario, runs), env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout)
        history = (runs / "latest" / "history.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in history]
        return [e["step"] for e in events if e["event"] == "step.begin"]

    def history(self, runs):
        for file in runs.glob("*/history.jsonl"):
            lines = file.read_text(errors="replace").split("\n")[:-1]
            return [json.loads(line) for line in lines]
        return []

    def until_step(self, process, runs, step):
        deadline = time.monotonic() + 60
        while not any(e["event"] == "step.begin" and e["step"] == step for e in self.history(runs)):
            self.assertLess(time.monotonic(), deadline, f"step {step} never began")
            if process.poll() is not None:
                self.fail(f"it ended before step {step}: {process.communicate()[0]}")
            time.sleep(0.001)

    def interrupt(self, scenario, step, number, delay=0.0):
        runs = self.path / f"{scenario.stem}-{step.replace('/', '_')}-{number}"
        process = subprocess.Popen(self.command(scenario, runs), env=self.environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.until_step(process, runs, step)
        time.sleep(delay)
        process.send_signal(number)
        begin = time.monotonic()
        output, _ = process.communicate(timeout=60)
        return runs, process.returncode, output, time.monotonic() - begin

    def assert_nothing_left(self, runs, told):
        left = descendants()
        deadline = time.monotonic() + 2  # what was killed is dying
        while left and time.monotonic() < deadline:
            time.sleep(0.01)
            left = descendants()
        self.assertEqual(left, {}, told)
        self.assertEqual(list((self.path / "tmp").iterdir()), [], told)
        begun = [e for e in self.history(runs) if e["event"] == "run.begin"]
        if OPTIONS.provider == "docker" and begun:
            mark = f"label=aima.run={begun[0]['run_id']}"
            self.assertEqual(docker("ps", "-aq", "--filter", mark), [], told)

    def assert_healed(self, scenario, step, number):
        runs, status, output, seconds = self.interrupt(scenario, step, number)
        told = f"{scenario} step {step}, {signal.Signals(number).name}:\n{output}"
        verdict = json.loads((runs / "latest" / "verdict.json").read_text())
        if verdict["answer"] == "fail":  # what is proven is hidden by no interruption
            failed = [f["criterion"] for f in verdict["findings"] if f["answer"] == "fail"]
            self.assertNotIn("run", failed, told)
            self.assertEqual(status, 1, told)
            return self.assert_nothing_left(runs, told)
        self.assertEqual(status, 128 + number, told)
        events = self.history(runs)
        # All steps may have ended before it was told to: then the run is whole.
        whole = any(e["event"] == "step.end" and e["step"] == self.last and e["outcome"] == "ok"
                    for e in events)
        self.assertIn(verdict["answer"], ["inconclusive", "pass"] if whole else ["inconclusive"], told)
        self.assertLess(seconds, 8, told)
        owed = [e["id"] for e in events if e["event"] == "fault.debt"]
        paid = [e["id"] for e in events if e["event"] == "fault.healed" and e["ok"]]
        self.assertEqual(paid, owed[::-1], told)
        self.assert_nothing_left(runs, told)

    def bystanders(self, run):
        """Not of the run, for all their look."""
        environment = {"PATH": os.environ["PATH"], "AIMA_RUN": run + "0", "XAIMA_RUN": run,
                       "NOTE": f" AIMA_RUN={run}"}
        process = subprocess.Popen(["sleep", "300"], env=environment)
        container = None
        if OPTIONS.provider == "docker":
            container = docker("create", "--label", f"aima.run={run}0", "--label",
                               f"xaima.run={run}", "--label", "aima.engine=vllm",
                               "aima-fixture-engine:latest")[0]
        return process, container

    def assert_cleaned(self, scenario, step):
        runs, status, output, _ = self.interrupt(scenario, step, signal.SIGKILL)
        told = f"{scenario} step {step}, SIGKILL:\n{output}"
        self.assertEqual(status, -signal.SIGKILL, told)
        run = next(r for r in runs.iterdir() if not r.is_symlink())
        before = (run / "history.jsonl").read_bytes()
        judged = self.harness("judge", str(run), "--root", ROOT)
        self.assertEqual(judged.returncode, 2, told + judged.stdout)
        self.assertEqual((run / "history.jsonl").read_bytes(), before)
        sandboxes = list((self.path / "tmp").iterdir())
        self.assertEqual(len(sandboxes), 1, told)
        listed = self.harness("clean", "--dry-run", "--root", ROOT)
        self.assertIn(str(sandboxes[0]), listed.stdout)
        self.assertTrue(sandboxes[0].exists())
        run_id = sandboxes[0].name.removeprefix("aima-run-")
        process, container = self.bystanders(run_id)
        try:
            noted = self.harness("run", str(self.path / "trivial.yaml"), "--root", ROOT,
                                 "--out", str(self.path / "next"), "--provider", OPTIONS.provider)
            self.assertEqual(noted.returncode, 0, noted.stdout)
            self.assertIn("aima-harness clean", noted.stdout)
            cleaned = self.harness("clean", "--root", ROOT)
            self.assertEqual(cleaned.returncode, 0, told + cleaned.stdout)
            self.assertNotIn("NOT removed", cleaned.stdout)
            self.assertIsNone(process.poll(), "a bystander was ended: " + cleaned.stdout)
            if container:
                self.assertEqual(docker("inspect", "-f", "{{.Id}}", container), [container])
        finally:
            process.kill()
            process.wait()
            if container:
                docker("rm", "-f", container)
        self.assert_nothing_left(runs, told + cleaned.stdout)
        self.reap()

    def reap(self):
        """What was re-parented to us and is dead."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            pass

    def sweep(self, scenario, steps):
        (self.path / "trivial.yaml").write_text(
            "scenario: trivial\ntitle: trivial\ntarget: aima\ncriteria:\n  1: it runs\n"
            "steps:\n  - start: {}\n    criterion: 1\n  - stop: {}\n")
        self.last = steps[-1]
        for step in steps:
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(step=step, signal=number):
                    self.assert_healed(scenario, step, number)
            with self.subTest(step=step, signal=signal.SIGKILL):
                try:
                    self.assert_cleaned(scenario, step)
                finally:
                    self.harness("clean", "--root", ROOT)  # the next case starts clean

    def sweep_scenario(self, name, few):
        scenario = pathlib.Path(ROOT, "scenarios", f"{name}.yaml")
        steps = self.steps_of(scenario)
        self.sweep(scenario, steps if LONG else [steps[at] for at in few])

    def test_restart_survival(self):
        self.sweep_scenario("restart-survival", (0, 5, 16, -1))

    def test_graceful_shutdown(self):
        self.sweep_scenario("graceful-shutdown", (5, 6, 8, 9))

    def test_killed_at_any_moment(self):
        """Also before the first step: while its folders are made, its ports claimed, its daemon started."""
        scenario = pathlib.Path(ROOT, "scenarios", "restart-survival.yaml")
        for delay in range(4, 200, 4 if LONG else 28):
            runs = self.path / f"runs-{delay}"
            process = subprocess.Popen(self.command(scenario, runs), env=self.environment,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay / 1000)  # the moment is arbitrary: that is what is tested
            process.kill()
            process.wait()
            with self.subTest(after_ms=delay):
                cleaned = self.harness("clean", "--root", ROOT)
                self.assertEqual(cleaned.returncode, 0, cleaned.stdout)
                # Killed between making the folder and naming its owner: whether somebody is about to
                # fill it cannot be told, so `clean` takes it only when it is a minute old. It is empty.
                for folder in (self.path / "tmp").iterdir():
                    if not (folder / "run.json").exists():
                        self.assertLessEqual({e.name for e in folder.iterdir()}, {"run.json.new"})
                        shutil.rmtree(folder)
                self.assert_nothing_left(runs, cleaned.stdout)
                self.reap()

    def test_two_at_once(self):
        """The same scenarios twice on one machine: neither takes a port, a folder or a process of the other."""
        names = ["restart-survival", "port-not-handed-out-twice", "nothing-left-locked"]
        files = [str(pathlib.Path(ROOT, "scenarios", f"{name}.yaml")) for name in names]
        for number in range(5 if LONG else 1):
            pair = []
            for which in "ab":
                command = self.command(files[0], self.path / f"runs-{which}-{number}") + files[1:]
                pair.append(subprocess.Popen(command, env=self.environment, text=True,
                                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
            outputs = [process.communicate(timeout=120)[0] for process in pair]
            for process, output in zip(pair, outputs):
                self.assertEqual(process.returncode, 0, output)
            for which in "ab":
                self.assert_nothing_left(self.path / f"runs-{which}-{number}", outputs)

    def test_while_a_fault_is_active(self):
        for name, fault in FAULTS.items():
            if (name == "container-paused" and OPTIONS.provider != "docker") or (
                    not LONG and name not in ("pause", "database-lock", "container-paused")):
                continue
            file = self.path / f"fault-{name}.yaml"
            file.write_text(START.format(name=name, fault=fault))
            last = str(START.count("  - ") + fault.count("  - "))
            with self.subTest(fault=name):
                self.sweep(file, [last])


if __name__ == "__main__":
    adopt_orphans()
    main()
