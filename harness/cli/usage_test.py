#!/usr/bin/env python3
"""The command line as a new user meets it: slips of the hand, other folders, reports, exit statuses.

usage: usage_test.py HARNESS SOURCE_ROOT
Runs a fake daemon (a shell loop on a port) of its own: needs no engine and no `aima`.
"""
import json
import os
import pathlib
import re
import subprocess
import xml.etree.ElementTree

from outside import HARNESS, ROOT, HarnessTest, main

DAEMON = r"""
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"items": [{"id": "a"}], "none": []}'
        self.send_response(500 if self.path == "/bad" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", "session=crumbs-of-the-daemon")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): print("GET with", self.headers.get("Authorization"), flush=True)
print("error: the fake one always complains", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
TARGET = """target: fake
command: [/usr/bin/env, python3, "{daemon}", "${{port}}"]
base_url: "http://127.0.0.1:${{port}}"
ready: port
"""
SCENARIO = """scenario: {name}
target: {target}
timeout: 20s
criteria:
  1: {text}
steps:
  - start: {{}}
{steps}
"""
GOOD = "  - http: GET /\n    criterion: 1\n    expect: '.items[0].id == \"a\"'\n  - signal: KILL\n  - await: {exit: KILL}"
BAD = "  - http: GET /\n    criterion: 1\n    expect: '.items[0].id == \"b\"'\n  - signal: KILL\n  - await: {exit: KILL}"


class Usage(HarnessTest):
    def setUp(self):
        super().setUp()
        del self.environment["NO_COLOR"], self.environment["TMPDIR"]
        (self.path / "daemon.py").write_text(DAEMON)
        (self.path / "mine").mkdir()
        (self.path / "mine" / "fake.yaml").write_text(TARGET.format(daemon=self.path / "daemon.py"))

    def scenario(self, steps=GOOD, name="good", target="fake.yaml", text="it answers"):
        file = self.path / "mine" / f"{name}.yaml"
        file.write_text(SCENARIO.format(name=name, target=target, steps=steps, text=text))
        return str(file)

    def call(self, *words, status=None, cwd=None, **environment):
        done = subprocess.run([HARNESS, *words], env={**self.environment, **environment}, text=True,
                              cwd=cwd or self.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60)
        if status is not None:
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def run_it(self, file, *more, status=0, **environment):
        return self.call("run", file, "--provider", "native", *more, status=status, **environment)

    def latest(self):
        return self.path / "reports" / "runs" / "latest"

    # Slips of the hand

    def test_an_unknown_command_names_its_neighbour(self):
        self.assertIn("did you mean `run`?", self.call("rnu", status=4).stderr)
        self.assertIn("there is no command `frobnicate`", self.call("frobnicate", status=4).stderr)

    def test_an_unknown_option_names_its_neighbour(self):
        said = self.call("run", "--fail-fats", status=4).stderr
        self.assertIn("`--fail-fats`", said)
        self.assertIn("did you mean `--fail-fast`?", said)
        self.assertIn("did you mean `--seed`?", self.call("plan", "x.yaml", "--sede=1", status=4).stderr)

    def test_an_unknown_word_names_its_neighbour(self):
        said = self.call("run", self.scenario(), "--provider", "dokcer", status=4).stderr
        self.assertIn("did you mean `docker`?", said)
        self.assertIn("did you mean `steps`?", self.call("list", "stpes", status=4).stderr)

    def test_help_and_version_are_no_mistakes(self):
        self.assertIn("run", self.call("--help", status=0).stdout)
        self.assertIn("--fail-fast", self.call("run", "--help", status=0).stdout)
        self.assertRegex(self.call("--version", status=0).stdout, r"aima-harness \d")

    # From any folder, with a daemon of one's own

    def test_a_scenario_is_run_from_anywhere_with_a_target_beside_it(self):
        file = self.scenario()
        self.run_it(file)
        self.run_it(os.path.relpath(file, "/"), status=4)  # not from here
        self.call("run", os.path.relpath(file, "/"), "--provider", "native", "--out",
                  str(self.path / "elsewhere"), status=0, cwd="/")

    def test_the_target_option_takes_a_path_from_here(self):
        file = self.scenario(target="nobody")
        self.run_it(file, "--target", "mine/fake.yaml")

    def test_the_root_is_found_above_the_scenario(self):
        done = self.call("check", ROOT + "/scenarios/restart-survival.yaml", status=0)
        self.assertIn("ok (8 criteria", done.stdout)

    def test_a_missing_target_is_pointed_at_in_the_scenario(self):
        file = self.scenario(target="fak.yaml")
        said = self.call("check", file, status=4).stderr
        self.assertIn("good.yaml:2:9: there is no target `fak.yaml`", said)
        self.assertIn("2 | target: fak.yaml", said)
        file = self.scenario(target="aimaa")
        said = self.call("check", file, "--root", ROOT, status=4).stderr
        self.assertIn("did you mean `aima`?", said)
        said = self.call("check", self.scenario(), "--target", "gone.yaml", status=4).stderr
        self.assertIn("--target gone.yaml: there is no target", said)

    def test_a_start_on_an_unknown_target_is_seen_before_the_run(self):
        file = self.scenario("  - restart: {target: gone.yaml}\n" + GOOD)
        self.assertIn("there is no target `gone.yaml`", self.call("check", file, status=4).stderr)

    def test_an_unknown_domain_of_compare_is_seen_before_the_run(self):
        self.scenario()
        with open(self.path / "mine" / "fake.yaml", "a") as file:
            file.write("domains: {things: {list: GET /}}\n")
        steps = ("  - snapshot: a\n  - restart: {signal: KILL}\n  - snapshot: b\n"
                 "  - compare: {before: a, after: b}\n    expect: {thigns: survived}\n"
                 "    criterion: {thigns: 1}\n")
        self.assertIn("did you mean `things`?", self.call("check", self.scenario(steps), status=4).stderr)
        self.run_it(self.scenario(steps.replace("thigns", "things")), status=2)  # it created nothing

    def test_a_name_that_nothing_gives_is_seen_in_the_target_file(self):
        file, target = self.scenario(), self.path / "mine" / "fake.yaml"
        whole = target.read_text()
        target.write_text(whole + "environment:\n  STORE: ${daat}/store\n")
        line = len(target.read_text().splitlines())
        said = self.call("check", file, status=4).stderr
        self.assertIn(f"fake.yaml:{line}:10: `${{daat}}` has no value", said)
        self.assertIn("did you mean `${data}`?", said)
        self.call("check", file, "--set", "daat=/x", status=0)
        self.call("check", file, "--set", "target.environment=x", status=4)  # a map is needed there
        target.write_text(whole)
        self.assertIn("--set target.base_url", self.call("check", file, "--set", "target.base_url=${prot}",
                                                         status=4).stderr)

    def test_a_step_that_the_target_has_nothing_for_is_seen_before_the_run(self):
        for step, key in (("cli: model list", "cli"), ("snapshot: a", "domains"),
                          ("sqlite: SELECT 1", "sqlite")):
            said = self.call("check", self.scenario(f"  - {step}\n{GOOD}"), status=4).stderr
            self.assertIn(f"needs `{key}` of the target", said)
            self.assertRegex(said, r"good.yaml:\d+:\d+: ")
        target = self.path / "mine" / "fake.yaml"
        target.write_text("".join(line for line in target.read_text().splitlines(keepends=True)
                                  if not line.startswith("base_url")))
        self.assertIn("needs `base_url`", self.call("check", self.scenario(), status=4).stderr)
        self.call("check", self.scenario(GOOD.replace("GET /", "GET http://127.0.0.1:1/")), status=0)

    # What a run prints and writes

    def test_the_evidence_shows_what_decided(self):
        said = self.run_it(self.scenario()).stdout
        self.assertRegex(said, r'PASS  \.items\[0\]\.id = "a"')
        said = self.run_it(self.scenario(BAD), status=1).stdout
        self.assertIn('.items[0].id = "b"', said.replace('== "b"', '= "b"'))
        self.assertIn('.items[0].id = "a"', said)

    def test_the_repeat_has_the_seed_that_was_drawn(self):
        said = self.run_it(self.scenario(BAD), status=1).stdout
        seed = re.match(r"seed (\d+)", said)[1]
        repeat = re.search(r"^repeat with: (.*)$", said, re.M)[1]
        self.assertTrue(repeat.endswith(f" --seed {seed}"), repeat)
        again = self.run_it(self.scenario(BAD), "--seed", "7", status=1).stdout
        self.assertEqual(re.search(r"^repeat with: (.*)$", again, re.M)[1].count("--seed"), 1)

    def test_what_a_repeat_waited_for_in_vain_is_shown(self):
        steps = ("  - repeat: {times: 2, until: '. == \"200\"', steps: [{shell: echo 200}]}\n" + GOOD)
        said = " ".join(self.run_it(self.scenario(steps), status=2).stdout.split())
        self.assertIn("within 2 rounds; the last saw 200", said)

    def test_a_report_into_no_folder_says_so(self):
        said = self.call("run", self.scenario(), "--report", "junit=ci/r.xml", status=4).stderr
        self.assertIn("the folder ci is not there", said)

    def test_no_colour_where_no_terminal(self):
        self.assertNotIn("\x1b", self.run_it(self.scenario()).stdout)

    def test_reports_of_weird_names_are_well_formed(self):
        file = self.scenario(BAD, text="'<&>\"]]> \u2028 é | `x` \\n | <b>'")
        self.run_it(file, "--report", "junit=j.xml", "--report", "json=r.json", "--report",
                    "markdown=m.md", status=1)
        tree = xml.etree.ElementTree.parse(self.path / "j.xml").getroot()
        names = [case.get("name") for case in tree.iter("testcase")]
        self.assertEqual(len(names), 2, names)
        self.assertTrue(any("<&>" in name for name in names), names)
        self.assertEqual(len(list(tree.iter("failure"))), 1)
        verdict = json.loads((self.path / "r.json").read_text())
        text = json.dumps(verdict, ensure_ascii=False)
        self.assertIn("]]>", text)
        for line in (self.path / "m.md").read_text().splitlines():
            self.assertNotIn("<b>", line.replace("`<b>`", ""), line)

    def test_github_gets_a_summary_and_annotations(self):
        summary = self.path / "summary.md"
        summary.write_text("# before\n")
        done = self.run_it(self.scenario(BAD), status=1, GITHUB_STEP_SUMMARY=str(summary),
                           GITHUB_ACTIONS="true")
        text = summary.read_text()
        self.assertTrue(text.startswith("# before\n"))
        self.assertIn("FAIL", text)
        lines = [line for line in done.stdout.splitlines() if line.startswith("::")]
        self.assertEqual(len([line for line in lines if line.startswith("::error file=")]), 1, lines)
        self.assertLessEqual(len(lines), 10)
        quiet = self.run_it(self.scenario(BAD), status=1)
        self.assertNotIn("::error", quiet.stdout)

    def test_judge_gives_the_same_bytes(self):
        self.run_it(self.scenario(BAD), status=1)
        first = (self.latest() / "verdict.json").read_bytes()
        for _ in range(2):
            self.call("judge", status=1)
            self.assertEqual((self.latest() / "verdict.json").read_bytes(), first)

    def test_plan_gives_the_same_bytes(self):
        steps = "  - fault: {pause: {}}\n    when: {random_within: 1s}\n" + GOOD
        file = self.scenario(steps)
        plans = [self.call("plan", file, "--seed", "7", status=0).stdout for _ in range(2)]
        self.assertEqual(*plans)
        self.assertNotEqual(plans[0], self.call("plan", file, "--seed", "8", status=0).stdout)

    def test_every_report_of_a_stored_run(self):
        self.run_it(self.scenario(BAD), status=1)
        for form in ("console", "json", "junit", "markdown"):
            done = self.call("report", "latest", "--format", form)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            self.assertIn("it answers", done.stdout)
        self.assertIn("did you mean `junit`?", self.call("report", "--format", "jnit", status=4).stderr)

    def test_what_is_stored_fits_the_schemas(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("python3-jsonschema is not installed")
        steps = ("  - snapshot: before\n  - shell: exit 3\n    exit: 3\n"
                 "  - fault: {pause: {}}\n  - heal: pause\n  - background: many\n    count: 3\n"
                 "    http: GET /\n  - join: many\n  - observe: fact\n    http: GET /\n    value: .items\n" + BAD)
        self.scenario()
        with open(self.path / "mine" / "fake.yaml", "a") as file:
            file.write("domains: {things: {list: GET /}, broken: {list: GET /bad}}\n")
        self.run_it(self.scenario(steps), "--keep", status=1, TMPDIR=str(self.path))
        schemas = {file.name: json.loads(file.read_text())
                   for file in (pathlib.Path(ROOT) / "reports" / "schema").glob("*.json")}
        lines = (self.latest() / "history.jsonl").read_text().splitlines()
        self.assertGreater(len(lines), 30)
        kinds = set()
        for line in lines:
            kinds.add(json.loads(line)["event"])
            jsonschema.validate(json.loads(line), schemas["history.schema.json"])
        self.assertLessEqual({"snapshot", "fault.struck", "fault.healed", "fact", "request.end"}, kinds)
        jsonschema.validate(json.loads((self.latest() / "verdict.json").read_text()),
                            schemas["verdict.schema.json"])

    # Secrets (rule 11)

    def test_secrets_reach_no_file(self):
        steps = ("  - http: {request: GET /, headers: {Authorization: Bearer s3cr3t-header, "
                 "Cookie: id=s3cr3t-cookie}}\n"
                 "  - shell: 'echo ${API_KEY} ${db_password} ${plain}; echo TOKEN=s3cr3t-echo'\n"
                 "    criterion: 1\n    expect: $exit == 1\n  - signal: KILL\n  - await: {exit: KILL}")
        file = self.scenario(steps, name="hush", text="has a hush")
        text = pathlib.Path(file).read_text().replace(
            "criteria:", "vars: {API_KEY: s3cr3t-key, db_password: s3cr3t-word, "
                         "plain: {secret: s3cr3t-plain}}\ncriteria:")
        pathlib.Path(file).write_text(text)
        done = self.run_it(file, "--keep", "--set", "API_KEY=s3cr3t-set", "--report", "json=r.json",
                           "--report", "markdown=m.md", "--report", "junit=j.xml", status=1,
                           TMPDIR=str(self.path))
        self.assertNotIn("s3cr3t", done.stdout + done.stderr)
        searched = 0
        for folder in (self.path / "reports", ):
            for found in folder.rglob("*"):
                if found.is_file():
                    searched += 1
                    self.assertNotIn(b"s3cr3t", found.read_bytes(), found)
                    self.assertNotIn(b"crumbs-of-the-daemon", found.read_bytes(), found)
        for name in ("r.json", "m.md", "j.xml"):
            self.assertNotIn("s3cr3t", (self.path / name).read_text(), name)
        self.assertGreater(searched, 5)
        self.assertNotIn("s3cr3t", self.call("plan", file, status=0).stdout)

    # Exit statuses

    def test_exit_statuses(self):
        good, bad = self.scenario(), self.scenario(BAD, name="bad")
        self.run_it(good, bad, status=1)
        ahead = self.run_it(bad, good, "--fail-fast", status=1)
        self.assertNotIn("good PASS", ahead.stdout)
        self.run_it(good, "--filter", "nothing-like-it", status=5)
        self.run_it(good, "--filter", "(", status=4)
        twice = self.run_it(good, "--repeat", "2").stdout
        self.assertEqual(twice.count("good PASS"), 2, twice)
        self.run_it(good, "--report", "junit=/no/such/folder/x.xml", status=4)
        self.run_it(good, "--report", "jnit=x.xml", status=4)
        self.run_it(self.scenario("  - await: {log: never, within: 10s}\n    criterion: 1\n", name="slow"),
                    "--timeout", "700ms", status=2)
        self.call("run", good, "--require", "docker", status=3,
                  DOCKER_HOST="unix:///nowhere/docker.sock")

    def test_unmet_needs(self):
        file = self.scenario(name="needy")
        text = pathlib.Path(file).read_text().replace("timeout:", "needs: [no-such-program-here]\ntimeout:")
        pathlib.Path(file).write_text(text)
        self.run_it(file, status=2)
        self.run_it(file, "--allow-skip")

    def test_new_and_check(self):
        self.call("new", "mine/fresh.yaml", "--root", ROOT, status=0)
        self.call("check", "mine/fresh.yaml", "--root", ROOT, status=0)
        self.call("new", "mine/fresh.yaml", "--root", ROOT, status=4)  # never over another

    def test_new_writes_where_one_works(self):
        said = self.call("new", "starter-of-a-test", status=0).stdout
        in_the_way = pathlib.Path(ROOT) / "scenarios" / "starter-of-a-test.yaml"
        self.addCleanup(in_the_way.unlink, missing_ok=True)
        self.assertTrue((self.path / "scenarios" / "starter-of-a-test.yaml").exists(), said)
        self.assertFalse(in_the_way.exists())
        # What stands here is what is meant where nothing is named.
        self.assertIn("starter-of-a-test.yaml: ok", self.call("check", status=0).stdout)
        self.call("plan", "starter-of-a-test", status=0)

    def test_what_proves_nothing_is_refused_or_inconclusive(self):
        for steps in ("  - signal: KILL\n    criterion: 1", "  - http: GET /\n    expect: 'true'\n    criterion: 1",
                      "  - process: {}\n    criterion: 1"):
            self.call("check", self.scenario(steps), status=4)
        for steps in ("  - http: {request: 'GET http://127.0.0.1:1/', error: refused}\n    criterion: 1",
                      "  - http: GET /\n    capture: {none: .none}\n  - http: GET /\n    criterion: 1\n"
                      "    expect: .none == $none"):
            self.run_it(self.scenario(steps + "\n  - signal: KILL\n  - await: {exit: KILL}"), status=2)


if __name__ == "__main__":
    main()
