#!/usr/bin/env python3
"""Stored runs: whatever is edited in one is refused, with the place; what was cut off is judged.

usage: judge_test.py HARNESS SOURCE_ROOT [unittest options]
"""
import hashlib
import json
import pathlib
import random
import re
import shutil
import subprocess

from outside import HARNESS, ROOT, main
from recorded import RecordedTest, split

START = "aima-harness history 1"


def link(before, body):
    return hashlib.sha256((before + "\n" + body).encode()).hexdigest()


def rechained(lines):
    """What one can do who knows the format: all hashes anew."""
    out, head = [], START
    for line in lines:
        body = split(line)[0]
        head = link(head, body)
        out.append(body[:-1] + ',"hash":"' + head + '"}')
    return out


class Judge(RecordedTest):
    def refused(self, folder, *words):
        """By every command that reads a stored run, and without a trace in its folder."""
        before = {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}
        for command in ("judge", "report"):
            done = self.call(command, folder, "--root", ROOT, status=3)
            self.assertEqual(done.stdout, "")
            for word in words:
                self.assertIn(word, done.stderr)
        self.assertEqual(before, {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()})

    def test_an_intact_run_is_judged_to_the_same_bytes(self):
        for run, status in ((self.good, 0), (self.bad, 1)):
            folder = self.copy(run)
            before = (folder / "verdict.json").read_bytes()
            done = self.call("judge", folder, "--root", ROOT, status=status)
            self.assertIn("each chained to the one before", done.stdout)
            self.assertIn("files as recorded", done.stdout)
            self.assertEqual((folder / "verdict.json").read_bytes(), before)
            self.call("report", folder, "--root", ROOT, status=0)
            (folder / "verdict.json").unlink()
            done = self.call("judge", folder, "--root", ROOT, status=status)
            self.assertIn("no verdict.json", done.stderr)
            self.assertEqual((folder / "verdict.json").read_bytes(), before)

    def test_the_chain_is_as_it_is_written_down(self):
        head = START
        for line in self.lines(self.good):
            body, said = split(line)
            head = link(head, body)
            self.assertEqual(said, head)
        verdict = json.loads((self.good / "verdict.json").read_text())
        self.assertEqual(verdict["history"], {"events": len(self.lines(self.good)), "head": head})
        files = [json.loads(line) for line in self.lines(self.good) if '"event":"file"' in line]
        self.assertEqual([f["path"] for f in files[:2]], ["scenario.yaml", "plan.json"])
        self.assertGreater(len(files), 2)
        for file in files:
            content = (self.good / file["path"]).read_bytes()
            self.assertEqual((file["bytes"], file["sha256"]),
                             (len(content), hashlib.sha256(content).hexdigest()), file["path"])
        stored = {str(f.relative_to(self.good)) for f in self.good.rglob("*") if f.is_file()}
        self.assertEqual(stored, {f["path"] for f in files} | {"history.jsonl", "verdict.json"})

    def test_an_edited_line_is_named(self):
        lines = self.lines(self.bad)
        at = next(i for i, line in enumerate(lines) if '"event":"observation"' in line and "hello" in line)
        lines[at] = lines[at].replace("hello", "goodbye")
        self.refused(self.write(self.copy(self.bad), lines), f"history line {at + 1}",
                     f"event {at + 1} (observation of step 2) was edited")

    def test_a_blank_is_an_edit_too(self):
        lines = self.lines(self.good)
        lines[4] = lines[4].replace('{"n":5,', '{"n": 5,')
        self.refused(self.write(self.copy(self.good), lines), "history line 5", "event 5")

    def test_a_removed_line_is_named(self):
        lines = self.lines(self.good)
        self.refused(self.write(self.copy(self.good), lines[:6] + lines[7:]), "history line 7",
                     "event 8 follows event 6: event 7 was removed")
        self.refused(self.write(self.copy(self.good), lines[:6] + lines[9:]), "events 7 to 9 were removed")
        self.refused(self.write(self.copy(self.good), lines[1:]), "history line 1")

    def test_a_removed_line_is_named_though_the_rest_was_counted_anew(self):
        lines = self.lines(self.good)
        del lines[6]
        for i in range(6, len(lines)):
            lines[i] = lines[i].replace(f'"n":{i + 2},', f'"n":{i + 1},', 1)
        self.refused(self.write(self.copy(self.good), lines), "history line 7")

    def test_inserted_swapped_and_repeated_lines_are_named(self):
        lines = self.lines(self.good)
        self.refused(self.write(self.copy(self.good), lines[:7] + [lines[6]] + lines[7:]),
                     "history line 8", "it stands here twice")
        self.refused(self.write(self.copy(self.good), lines[:7] + [lines[2]] + lines[7:]),
                     "history line 8", "it stands here again, or was moved")
        swapped = lines[:5] + [lines[6], lines[5]] + lines[7:]
        self.refused(self.write(self.copy(self.good), swapped), "history line 6", "event 6 was removed, or moved")
        bare = json.dumps({"n": 8, "t_us": json.loads(lines[6])["t_us"], "event": "fact"},
                          separators=(",", ":"))
        self.refused(self.write(self.copy(self.good), lines[:7] + [bare] + lines[7:]),
                     "history line 8", "carries no hash")
        self.refused(self.write(self.copy(self.good), lines[:7] + ["nonsense"] + lines[7:]),
                     "history line 8: not an event")

    def test_any_byte(self):
        whole = (self.good / "history.jsonl").read_bytes()
        chance = random.Random(1)
        for _ in range(20):
            at = chance.randrange(len(whole))
            folder = self.copy(self.good)
            edited = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:]
            (folder / "history.jsonl").write_bytes(edited)
            self.refused(folder, "history")

    def test_a_chain_made_anew_does_not_fit_the_verdict(self):
        folder = self.copy(self.bad)
        lines = [line.replace('"hello"', '"goodbye"') for line in self.lines(self.bad)]
        self.write(folder, rechained(lines))
        self.refused(folder, "not the one that was judged", f"event {len(lines)}")
        # Who also takes the verdict away is caught only by the head that the report printed.
        (folder / "verdict.json").unlink()
        done = self.call("judge", folder, "--root", ROOT, status=0)
        self.assertNotIn(split(self.lines(self.bad)[-1])[1], done.stdout)

    def test_a_later_cut_is_an_edit(self):
        lines = self.lines(self.good)
        for some in (lines[:-1], lines[:5], []):
            self.refused(self.write(self.copy(self.good), some), "was cut after it was judged",
                         f"event {len(lines)}")

    def test_a_run_that_was_cut_off_is_judged_and_never_passes(self):
        whole = (self.good / "history.jsonl").read_bytes()
        for at in (0, 1, 200, len(whole) // 3, len(whole) // 2, len(whole) - 30, len(whole) - 2):
            folder = self.copy(self.good)
            (folder / "verdict.json").unlink()
            (folder / "history.jsonl").write_bytes(whole[:at])
            done = self.call("judge", folder, "--root", ROOT, status=2)
            self.assertIn("cut off", done.stdout)
            self.call("judge", folder, "--root", ROOT, status=2)  # by its own verdict of the cut
        (folder / "history.jsonl").write_bytes(whole)  # as it is when the run went on
        (folder / "verdict.json").unlink()
        self.call("judge", folder, "--root", ROOT, status=0)

    def test_edited_files_are_named(self):
        for path, words in (("scenario.yaml", ()), ("plan.json", ()),
                            (self.shell_evidence(), ("of step 2",))):
            folder = self.copy(self.bad)
            text = (folder / path).read_text()
            (folder / path).write_text(text.replace("o", "0", 1))
            self.refused(folder, f"{path}", "was edited after the run: event ", "found ", *words)
            (folder / path).unlink()
            self.refused(folder, path, "gone", *words)

    def shell_evidence(self):
        for line in self.lines(self.bad):
            event = json.loads(line)
            if event["event"] == "observation" and event["step"] == "2":
                return event["evidence"][0]
        self.fail("the shell step left no evidence")

    def test_evidence_goes_with_a_pass_alone(self):
        folder = self.copy(self.good)
        shutil.rmtree(folder / "evidence")
        done = self.call("judge", folder, "--root", ROOT, status=0)
        self.assertIn("files of evidence were removed with the pass", done.stdout)
        folder = self.copy(self.bad)
        shutil.rmtree(folder / "evidence")
        self.refused(folder, "evidence/", "is gone")

    def test_a_stranger_in_the_evidence_is_named(self):
        folder = self.copy(self.bad)
        (folder / "evidence" / "note.txt").write_text("mine")
        done = self.call("judge", folder, "--root", ROOT, status=1)
        self.assertIn("note: evidence/note.txt was not recorded by the run", done.stderr)

    def test_an_edited_verdict_is_named(self):
        folder = self.copy(self.bad)
        text = (folder / "verdict.json").read_text()
        self.assertIn('"answer": "fail"', text)
        (folder / "verdict.json").write_text(text.replace('"answer": "fail"', '"answer": "pass"', 1))
        self.refused(folder, 'verdict.json was edited', '/answer: "pass", not "fail"')
        (folder / "verdict.json").write_text(text.replace('"seal"', '"sael"'))
        self.refused(folder, "verdict.json was edited", "no seal")
        (folder / "verdict.json").write_text("torn")
        self.refused(folder, "verdict")

    def test_histories_by_hand_are_judged_when_asked(self):
        # One that is named for an inconclusive criterion may fail another.
        status = {"pass": (0,), "fail": (1,), "inconclusive": (1, 2, 130), "error": (3,)}
        found = sorted(pathlib.Path(ROOT, "fixtures", "histories").glob("*.jsonl"))
        self.assertGreater(len(found), 30)
        for file in found:
            answer = file.stem.split("-")[1]
            if file.stem.startswith("contradiction-"):
                continue
            done = self.call("judge", file, "--root", ROOT, status=4)
            self.assertIn("--unchained", done.stderr)
            done = subprocess.run([HARNESS, "judge", "--unchained", str(file), "--root", ROOT], text=True,
                                  env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  cwd=self.path)
            self.assertIn(done.returncode, status[answer], f"{file.name}\n{done.stdout}")
            self.assertIn("without a chain", done.stdout)

    def test_a_history_that_contradicts_itself_is_refused(self):
        found = sorted(pathlib.Path(ROOT, "fixtures", "histories").glob("contradiction-*.jsonl"))
        self.assertGreater(len(found), 25)
        for file in found:
            rule = file.stem.removeprefix("contradiction-")
            done = self.call("judge", "--unchained", file, "--root", ROOT, status=0 if rule == "none" else 3)
            if rule != "none":
                self.assertIn("contradicts itself", done.stderr)
                self.assertRegex(done.stderr, rf"event \d+ \(.*\[{rule}\]")

    def test_a_recorded_run_made_to_contradict_itself_is_refused(self):
        folder = self.copy(self.good)
        (folder / "verdict.json").unlink()
        lines = self.lines(self.good)
        at = next(i for i, line in enumerate(lines) if '"event":"daemon.exit"' in line)
        twice = lines[:at + 1] + [lines[at]] + lines[at + 1:]
        for i, line in enumerate(twice):
            twice[i] = re.sub(r'^\{"n":\d+,', f'{{"n":{i + 1},', line)
        self.refused(self.write(folder, rechained(twice)), "contradicts itself",
                     f"event {at + 2} (daemon.exit) is a second end of the daemon that ended by event {at + 1}")

    def test_a_missing_run_is_usage(self):
        self.assertIn("there is no run", self.call("judge", "nowhere", "--root", ROOT, status=4).stderr)


if __name__ == "__main__":
    main()
