#!/usr/bin/env python3
"""`prove` from outside: prove_test.py HARNESS ROOT. What it exits with, what it prints and keeps."""
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HARNESS, ROOT = sys.argv[1], Path(sys.argv[2])
FOLDER = Path(tempfile.mkdtemp(prefix="aima-prove-test-"))

HEAD = "scenario: small\ntarget: aima\ntimeout: 20s\n"
RESTART = """criteria: {1: an acknowledged model survives SIGKILL}
steps:
  - start: {}
  - http: POST /api/model/create
    body: {name: precious, repo: tinyllama}
    capture: {model_id: .id}
  - signal: KILL
  - await: {exit: {signal: KILL}}
  - start: {}
  - http: GET /api/model/list
    criterion: 1
    expect: '%s'
  - stop: {}
"""
LOOKS = RESTART % "[.items[].id] == [$model_id]"
# A criterion that only a wrong reply fails, and one that nothing can.
LOOKS_AWAY = (RESTART % ".total >= 0").replace("SIGKILL}", "SIGKILL, 2: a shell says a number}", 1).replace(
    "  - stop", "  - shell: echo 7\n    criterion: 2\n    expect: '. >= 0'\n  - stop")


def run(text, *arguments, name="small.yaml"):
    path = FOLDER / name
    path.write_text(HEAD + text)
    return subprocess.run(
        [HARNESS, "--root", str(ROOT), "prove", str(path), "--provider", "native", "--out",
         str(FOLDER / "proofs"), *arguments],
        capture_output=True, text=True, timeout=200, cwd=FOLDER, check=False)


def matrix(text, *arguments):
    file = FOLDER / "matrix.json"
    done = run(text, "--report", f"json={file}", *arguments)
    report = json.loads(file.read_text())
    return done, report["proofs"][0]


def check(true, what, done=None):
    if true:
        print("ok:", what)
        return
    if done is not None:
        print(done.stdout[-4000:], done.stderr[-2000:])
    sys.exit(f"NOT: {what}")


def proves():
    done, proof = matrix(LOOKS, "--sabotage", "drop-row")
    check(done.returncode == 0, "what is noticed exits 0", done)
    names = [column["name"] for column in proof["sabotages"]]
    check("drop-row:models@4" in names, f"lines are named by sabotage, detail and step: {names}")
    check(proof["criteria"][0]["proven"] == "world", "a criterion proven in the world says so")
    folder = FOLDER / proof["folder"]
    kept = sorted(entry.name for entry in folder.iterdir())
    check(kept == ["control", "matrix.json", "matrix.md"], f"kept is the control run: {kept}")
    judged = subprocess.run([HARNESS, "--root", str(ROOT), "judge", str(folder / "control")],
                            capture_output=True, text=True, check=False)
    check(judged.returncode == 0, "the control run is a stored run", judged)


def toothless():
    done, proof = matrix(LOOKS_AWAY, "-j", "2")
    check(done.returncode == 1, "a toothless criterion exits 1", done)
    check("criterion 2 is toothless" in done.stdout, "and is named", done)
    proven = [one["proven"] for one in proof["criteria"]]
    check(proven == ["world", "no", "world"], f"the others have their teeth: {proven}", done)
    unnoticed = [one for one in proof["sabotages"] if one["fate"] == "not noticed"]
    names = [one["name"] for one in unnoticed]
    check("drop-row:models@4" in names, "the lost row is not noticed", done)
    check("change-observation:1@6" in names, "and so is what `.total >= 0` cannot tell", done)
    row = next(one for one in unnoticed if one["name"] == "drop-row:models@4")
    check((FOLDER / row["run"] / "history.jsonl").exists(), "and its run is kept")


def marked():
    mark = 'prove: {equivalent: {"drop-row:models": nobody asks for it}}\n'
    done, proof = matrix(mark + LOOKS_AWAY, "--sabotage", "drop-row")
    check(done.returncode == 0, "a marked sabotage need not be noticed", done)
    check("nobody asks for it" in done.stdout, "and its reason is shown", done)
    check(proof["figures"]["equivalent"] == 1, "and counted")
    done, proof = matrix(mark + LOOKS, "-j", "2")
    check(any("drop-row:models@4 is noticed" in stale for stale in proof["stale_marks"]),
          "a mark of what is noticed is stale", done)
    done = run(mark.replace("drop-row", "drop-rwo") + LOOKS)
    check(done.returncode == 4 and "did you mean `drop-row`?" in done.stderr,
          "a mark of no sabotage is an error of the scenario", done)


def side_by_side():
    fates = []
    for jobs in ("1", "3"):
        _, proof = matrix(LOOKS, "-j", jobs, "--seed", "1")
        fates.append({one["name"]: (one["fate"], one["cells"]) for one in proof["sabotages"]})
    check(fates[0] == fates[1], f"-j 3 says the same as -j 1: {set(map(str, fates[0].items())) ^ set(map(str, fates[1].items()))}")


def control():
    failing = RESTART % "[.items[].id] == []"
    done = run(failing)
    check(done.returncode == 1 and "NOT TRIED" in done.stdout, "a control run that fails exits 1", done)
    done = run("needs: [no-such-program]\n" + LOOKS)
    check(done.returncode == 2, "one that is skipped exits 2", done)
    done = run(LOOKS, "--set", "target.command=/no/such/daemon")
    check(done.returncode == 3, "one that is an error exits 3", done)


def usage():
    done = run(LOOKS, "--sabotage", "drop-rwo")
    check(done.returncode == 4 and "did you mean `drop-row`?" in done.stderr, "--sabotage knows its words", done)
    done = run(LOOKS, "--report", "junit=x.xml")
    check(done.returncode == 4 and "has no format `junit`" in done.stderr, "--report knows its formats", done)
    done = run(LOOKS, "--report", "json=/no/such/folder/x.json")
    check(done.returncode == 4, "a report that cannot be written ends it early", done)
    listed = subprocess.run([HARNESS, "list", "sabotages"], capture_output=True, text=True, check=False)
    check("drop-row" in listed.stdout and "cut-off" in listed.stdout, "list names the sabotages")


def interrupted():
    (FOLDER / "small.yaml").write_text(HEAD + LOOKS)
    for jobs in ("1", "2"):
        harness = subprocess.Popen(
            [HARNESS, "--root", str(ROOT), "prove", "small.yaml", "--provider", "native", "-j", jobs,
             "--out", str(FOLDER / "proofs"), "--keep"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=FOLDER)
        proofs = FOLDER / "proofs"
        before = set(proofs.iterdir())
        # Until the first strike is stored: then others are under way.
        while harness.poll() is None:
            fresh = [one for one in set(proofs.iterdir()) - before if (one / "strikes").exists()]
            if fresh:
                break
            time.sleep(0.005)  # only looking can tell
        harness.send_signal(signal.SIGINT)
        out, err = harness.communicate(timeout=100)
        check(harness.returncode == 130, f"-j {jobs}: SIGINT exits 130, not {harness.returncode}\n{out}{err}")
        check("INTERRUPTED" in out and "toothless" not in out, f"-j {jobs}: what was not run proves nothing")
        daemons = subprocess.run(["pgrep", "-f", str(proofs)], capture_output=True, text=True, check=False)
        check(daemons.stdout == "", f"-j {jobs}: nothing is left running")


for case in (proves, toothless, marked, side_by_side, control, usage, interrupted):
    case()
subprocess.run(["rm", "-rf", str(FOLDER)], check=True)
