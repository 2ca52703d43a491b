#!/usr/bin/env python3
"""Manual pages and completion against the programs: packaging_test.py AIMA HARNESS MADE ENGINE. Every
command and flag is in its page and is completed; completion is tried in a real bash."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import commands  # noqa: E402
import completion  # noqa: E402
import manual  # noqa: E402

AIMA, HARNESS, MADE, ENGINE = (Path(sys.argv.pop(1)).resolve() for _ in range(4))
PROGRAMS = (commands.read_aima(AIMA), commands.read_harness(HARNESS))
TRY = r"""source "$1"; shift
function="_${1//-/_}"; PATH=$BIN:$PATH; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"$function"; printf '%s\n' "${COMPREPLY[@]}"
"""


def completed(*words, folder=None, script=None):
    done = subprocess.run(["bash", "--norc", "-c", TRY, "-", script or str(MADE / words[0]), *words],
                          capture_output=True, text=True, check=True, cwd=folder,
                          env={"PATH": "/usr/bin:/bin", "BIN": str(AIMA.parent), "HOME": "/nonexistent"})
    assert done.stderr == "", done.stderr
    return [line for line in done.stdout.splitlines() if line]


class Pages(unittest.TestCase):
    def test_every_command_and_flag_is_there(self):
        for program in PROGRAMS:
            page = (MADE / f"{program.name}.1").read_text().replace("\\-", "-")
            for command in program.commands:
                at = page.find(f".SS {program.name} {command.words}")
                self.assertGreater(at, 0, command.words)
                section = page[at:page.find("\n.S", at + 3)]
                for flag in command.flags:
                    for name in flag.names:
                        self.assertIn(f"\\fB{name}\\fR", section, command.words)

    def test_every_setting_is_described(self):
        keys = manual.known_settings(AIMA)
        self.assertEqual([key for key in keys if key not in manual.SETTINGS], [],
                         "packaging/manual.py: SETTINGS says what each key means")
        text = (MADE / "aima.toml").read_text()
        with tempfile.TemporaryDirectory() as folder:  # the example is valid, each key with its default
            file = Path(folder) / "aima.toml"
            lines = [line for line in text.splitlines() if not line.startswith("# ")]
            file.write_text("\n".join(line.removeprefix("#") for line in lines
                                      if not line.endswith('= ""') and "data_dir" not in line))
            done = subprocess.run([AIMA, "doctor", "--config", file, "--output", "json", "--data-dir",
                                   folder + "/data"], capture_output=True, text=True, check=False,
                                  env={"HOME": folder, "PATH": "/usr/bin:/bin", "TMPDIR": folder})
            self.assertIn(f'"found": "{file}"', done.stdout, done.stdout)

    def test_no_warnings(self):
        if not shutil.which("groff"):
            self.skipTest("no groff here")
        for name in ("aima.1", "aima-harness.1", "aima.toml.5"):
            done = subprocess.run(["groff", "-man", "-ww", "-z", "-Kutf8", "-Tutf8", MADE / name],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


class Completion(unittest.TestCase):
    def test_nothing_was_forgotten(self):
        for program in PROGRAMS:
            self.assertEqual(completion.unknown(program), [],
                             "packaging/completion.py: say what completes these")

    def test_what_is_made_is_what_the_programs_are(self):
        for program in PROGRAMS:
            self.assertEqual((MADE / program.name).read_text(), completion.script_of(program))

    def test_every_command_and_flag_is_completed(self):
        for program in PROGRAMS:
            top = {command.words.split()[0] for command in program.commands}
            self.assertLessEqual(top, set(completed(program.name, "")))
            for command in program.commands:
                typed = [program.name, *command.words.split()]
                self.assertIn(typed[-1], completed(*typed[:-1], typed[-1][:-1]))
                offered = completed(*typed, "--")
                wanted = [name for flag in command.flags + program.everywhere for name in flag.names
                          if name.startswith("--")]
                self.assertEqual(sorted(offered), sorted(wanted), command.words)

    def test_the_words_of_each_flag_are_taken_by_the_program(self):
        for program in PROGRAMS:
            for command in program.commands:
                for flag in command.flags:
                    if "|" in flag.value:
                        self.assertEqual(completed(program.name, *command.words.split(), flag.names[-1], ""),
                                         flag.value.split("|"))
        # What the program itself says when it is given another word.
        for words, flag in ((["start"], "--provider"), (["start"], "--log-level"), (["start"], "--log-format")):
            done = subprocess.run([AIMA, *words, flag, "xyzzy", "--data-dir", "/nonexistent/data"],
                                  capture_output=True, text=True, check=False)
            said = re.search(r"is not one of ([a-z, ]+)", done.stderr)
            self.assertIsNotNone(said, done.stderr)
            self.assertEqual(completed("aima", *words, flag, ""), said[1].strip().split(", "))

    def test_positions(self):
        self.assertEqual(completed("aima", "mo"), ["model"])
        self.assertEqual(completed("aima", "--output", "j"), ["json"])
        self.assertEqual(completed("aima", "--output", "=", "y"), ["yaml"])
        self.assertEqual(completed("aima", "--output", "json", "service", "st"), ["status", "start", "stop"])
        self.assertEqual(completed("aima", "model", "list", "--status", "=", "p"), ["pending"])
        self.assertEqual(completed("aima", "no-such-command", ""), [])
        self.assertEqual(completed("aima", "start", "--addr", ""), [])
        self.assertEqual(completed("aima-harness", "run", "--report", "ju"), ["junit="])
        self.assertEqual(completed("aima-harness", "list", "tar"), ["targets"])
        self.assertIn("restart-survival", completed("aima-harness", "run", "restart"))
        self.assertIn("restart-survival", completed("aima", "selftest", "restart"))
        self.assertIn("redis", completed("aima-harness", "run", "--target", "re"))
        self.assertIn("delete-data", completed("aima-harness", "prove", "--sabotage", "dele"))

    def test_files_and_folders(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "some settings.toml").write_text("")
            (Path(folder) / "some-folder").mkdir()
            self.assertEqual(sorted(completed("aima", "start", "--config", "so", folder=folder)),
                             ["some settings.toml", "some-folder"])
            self.assertEqual(completed("aima", "start", "--data-dir", "so", folder=folder), ["some-folder"])
            self.assertEqual(completed("aima-harness", "run", "--report", "junit", "=", "some-",
                                       folder=folder), ["some-folder"])
            self.assertEqual(completed("aima-harness", "diff", "some-", folder=folder), ["some-folder"])

    def test_ids_are_asked_of_the_daemon(self):
        folder = Path(tempfile.mkdtemp(prefix="aima-completed-"))
        log = open(folder / "log", "wb")
        daemon = subprocess.Popen([AIMA, "start", "--addr", "127.0.0.1:0", "--provider", "native",
                                   "--data-dir", folder / "data"], stderr=log,
                                  env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})
        try:
            limit = time.monotonic() + 20
            while not (found := re.search(r"listening on (http://\S+)", (folder / "log").read_text())):
                self.assertLess(time.monotonic(), limit)
                time.sleep(0.01)  # between two questions
            server = ["--server", found[1]]

            def asked(*words):
                return completed("aima", *server, *words)

            done = subprocess.run([AIMA, *server, "model", "create", "--name", "m", "-o", "json"],
                                  capture_output=True, text=True, check=True)
            model = re.search(r'"id": "(model-\w+)"', done.stdout)[1]
            self.assertEqual(asked("model", "get", ""), [model])
            self.assertEqual(asked("model", "get", model, ""), [], "one is enough")
            self.assertEqual(asked("service", "create", "--model-id", "mod"), [model])
            self.assertEqual(asked("service", "get", ""), [])
            self.assertIn("vllm", asked("service", "create", "--engine-type", ""))
            self.assertIn("model.list", asked("exec", "model."))
            # One that does not answer costs half a second, not the user's patience.
            daemon.send_signal(signal.SIGSTOP)
            begun = time.monotonic()
            self.assertEqual(asked("model", "get", ""), [])
            self.assertLess(time.monotonic() - begun, 5)
        finally:
            daemon.kill()
            daemon.wait()
            log.close()
            shutil.rmtree(folder)
        self.assertEqual(completed("aima", "--server", "http://127.0.0.1:1", "model", "get", ""), [])

    def test_a_script_that_went_stale_is_seen(self):
        program = commands.read_aima(AIMA)
        program.commands[0].flags.append(commands.Flag(["--new-flag"], "a|b", "new"))
        self.assertNotEqual((MADE / "aima").read_text(), completion.script_of(program))
        other = commands.read_harness(HARNESS)
        other.commands[0].flags.append(commands.Flag(["--new-flag"], "TEXT", "new"))
        self.assertEqual(completion.unknown(other), ["run --new-flag"])


if __name__ == "__main__":
    unittest.main()
