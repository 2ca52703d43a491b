#!/usr/bin/env python3
"""Stored runs that somebody made hostile: pipes, links, endless lines. `judge` and `report` say which.

usage: hostile_run_folders_test.py HARNESS SOURCE_ROOT [unittest options]
"""
import os
import re
import subprocess

from hostile import GIB, MIB, HostileTest
from outside import LESS, ROOT, main


class HostileRunFolders(HostileTest):
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


if __name__ == "__main__":
    main()
