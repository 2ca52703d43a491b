#!/usr/bin/env python3
"""Hostile scenarios and what is written in them: bombs, pipes, endless expressions and patterns.

usage: hostile_files_test.py HARNESS SOURCE_ROOT [unittest options]
"""
import os

from hostile import GIB, GOOD, HEAD, MIB, HostileTest
from outside import LESS, ROOT, SANITIZERS, main


class HostileFiles(HostileTest):
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


if __name__ == "__main__":
    main()
