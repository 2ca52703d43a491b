#!/usr/bin/env python3
"""Two stored runs beside each other: the same, or what is different, and where it began.

usage: diff_test.py HARNESS SOURCE_ROOT [unittest options]
"""
import json
import subprocess

from outside import HARNESS, ROOT, main
from recorded import SCENARIO, RecordedTest


class Diff(RecordedTest):
    def test_two_runs_of_one_scenario_are_the_same(self):
        again = self.record("good", "hello", 0)
        done = self.call("diff", self.good, again, "--root", ROOT, status=0)
        self.assertIn("same verdict and findings", done.stdout)
        self.assertNotIn("First step", done.stdout)
        self.assertRegex(done.stdout, r"the whole run +\d+\.\d +\d+\.\d +\d+\.\d\d")
        json.loads(self.call("diff", self.good, again, "--json", "--root", ROOT, status=0).stdout)
        self.call("diff", self.good.name, "latest", "--out", self.good.parent, "--root", ROOT, status=0)

    def test_what_is_different_is_told(self):
        done = self.call("diff", self.good, self.bad, "--root", ROOT, status=1)
        self.assertTrue(done.stdout.startswith("different scenarios: good and bad"), done.stdout)
        self.assertRegex(done.stdout, r"1 the shell says what is asked\n +A  PASS.*(\n.*)*?\n +B  FAIL")
        changed = self.record("good", "goodbye", 1)
        done = self.call("diff", self.good, changed, "--root", ROOT, status=1)
        self.assertIn("was changed between the runs, first on line 10", done.stdout)
        self.assertTrue(json.loads(self.call("diff", self.good, changed, "--json", "--root", ROOT,
                                             status=1).stdout)["findings"])

    def test_the_first_step_that_saw_something_else_is_named(self):
        words = ["--set", "target.vars.how=behaves", "--set", "WORD="]
        text = SCENARIO.format(name="said", word="never").replace("echo hello", "echo ${WORD}").replace(
            "timeout:", "vars: {WORD: x}\ntimeout:")
        (self.path / "said.yaml").write_text(text)
        out = self.path / "runs-said"
        for word in ("one", "two"):
            subprocess.run([HARNESS, "run", "said.yaml", "--root", ROOT, "--out", str(out), "--provider",
                            "native", *words[:-1], words[-1] + word], env=self.environment, cwd=self.path,
                           stdout=subprocess.DEVNULL, timeout=60, check=False)
        # Within one second their names sort by seed.
        runs = sorted((f for f in out.iterdir() if not f.is_symlink()),
                      key=lambda f: (f / "plan.json").stat().st_mtime_ns)
        done = self.call("diff", *runs, "--root", ROOT, status=0)  # both fail
        self.assertRegex(done.stdout, r'step 2 .*observed/0/document\n +A  "one"\n +B  "two"')

    def test_an_edited_run_is_not_compared(self):
        folder = self.copy(self.bad)
        (folder / "plan.json").write_text("{}")
        self.assertIn("plan.json was edited", self.call("diff", self.good, folder, "--root", ROOT, status=3).stderr)
        self.call("diff", self.good, "nowhere", "--root", ROOT, status=4)
        self.call("diff", self.good, "--root", ROOT, status=4)


if __name__ == "__main__":
    main()
