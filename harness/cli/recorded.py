"""For the tests beside this file of stored runs: a run that passed, one that failed, and copies of them.

Runs fixtures/misbehaving. Needs no container engine.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from outside import HARNESS, ROOT, environment_in

SCENARIO = """scenario: {name}
target: misbehaving
timeout: 20s
criteria:
  1: the shell says what is asked
steps:
  - start: {{}}
  - shell: echo hello
    criterion: 1
    expect: '. == "{word}"'
  - stop: {{}}
"""


def split(line):
    """A line's body and its hash, by the definition in harness/history/chain.h alone."""
    assert line[-77:-67] != "" and line[-2:] == '"}' and ',"hash":"' in line[-75:], line
    return line[:-75] + "}", line[-66:-2]


class RecordedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix=f"{cls.__name__.lower()}-{os.getpid()}-")
        cls.path = pathlib.Path(cls.scratch.name)
        cls.environment = environment_in(cls.path)
        cls.good = cls.record("good", "hello", 0)
        cls.bad = cls.record("bad", "goodbye", 1)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def record(cls, name, word, status):
        file = cls.path / f"{name}.yaml"
        file.write_text(SCENARIO.format(name=name, word=word))
        out = cls.path / f"runs-{name}"
        done = subprocess.run([HARNESS, "run", str(file), "--root", ROOT, "--out", str(out), "--provider",
                               "native", "--set", "target.vars.how=behaves", "--keep"],
                              env=cls.environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, cwd=cls.path)
        assert done.returncode == status, done.stdout
        folder = (out / "latest").resolve()
        head = split((folder / "history.jsonl").read_text().splitlines()[-1])[1]
        assert head in done.stdout, "the report of a run does not print the head of its chain"
        return folder

    def setUp(self):
        self.copies = tempfile.TemporaryDirectory(dir=self.path)

    def tearDown(self):
        self.copies.cleanup()

    def copy(self, run):
        folder = pathlib.Path(self.copies.name) / f"copy-{len(list(pathlib.Path(self.copies.name).iterdir()))}"
        shutil.copytree(run, folder)
        return folder

    def lines(self, folder):
        return (folder / "history.jsonl").read_text().splitlines()

    def write(self, folder, lines):
        (folder / "history.jsonl").write_text("".join(line + "\n" for line in lines))
        return folder

    def call(self, *words, status):
        done = subprocess.run([HARNESS, *map(str, words)], env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, cwd=self.path)
        self.assertEqual(done.returncode, status, f"{words}\n{done.stdout}{done.stderr}")
        return done
