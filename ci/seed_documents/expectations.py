"""What the seed documents expect of their blocks, held against the trace of them."""
import json
import re


class Judge:
    def __init__(self, trace, provider):
        self.trace = trace
        self.provider = provider
        self.rows = []      # (answer, criterion or "", what, evidence)
        self.known = set()  # the "# Expected:" comments that were judged

    def expect(self, criterion, what, comment, test, vacuous=None):
        """`test` gives (holds, evidence); `vacuous` says why holding shows nothing here."""
        if comment:
            self.known.add(comment)
        try:
            holds, evidence = test()
        except (LookupError, ValueError, KeyError, TypeError) as error:
            holds, evidence = False, f"{type(error).__name__}: {error}"
        empty = vacuous() if callable(vacuous) and holds else vacuous
        answer = "FAIL" if not holds else "VACUOUS" if empty else "PASS"
        if answer == "VACUOUS":
            evidence = f"{evidence}; {empty}"
        self.rows.append((answer, criterion, what, " ".join(evidence.split())[:300]))


def named(text, name):
    """The object of that name in a {"items": […]} document."""
    return next((one for one in json.loads(text)["items"] if one["name"] == name), None)


def rows(table):
    """Lines of a printed table without its heading; "(none)" is no row."""
    return [line for line in table.splitlines()[1:] if line.strip() and line[0] != "("]


def succeeded(trace, *where):
    done = [trace.run(*one) for one in where]
    return all(status == 0 for _, status in done), \
        f"exit {', '.join(str(status) for _, status in done)}"


def created(trace, domain):
    body = json.loads(trace.run(1, f"api/{domain}/create")[0])
    return bool(body.get("id")), f"{domain} {body.get('id')} {body.get('error', '')}"


def judge_what_restarts(judge):
    trace = judge.trace
    after = "=== After Restart"

    def model():
        object_text, _ = trace.run(3, "/tmp/aima model list --output json", after=after)
        found = json.loads(object_text)
        before = trace.run(1, r"/tmp/aima model list$", after="=== Before Restart")[0]
        return found["name"] == "restart-test-model" and found["id"] in before, \
            f"id {found['id']}, status {found['status']}"

    def service():
        before = rows(trace.run(1, "/tmp/aima service list", after="=== Before")[0])
        later = rows(trace.run(3, "/tmp/aima service list", after=after)[0])
        ids = [line.split()[0] for line in later]
        return len(before) == 1 and ids == [before[0].split()[0]], \
            f"before {before}, after {later}"

    def containers():
        before = rows(trace.run(2, "docker ps")[0])
        later = rows(trace.run(3, "docker ps")[0])
        return before == later, f"{len(before)} after the kill, {len(later)} after the restart"

    def engines():
        before = rows(trace.run(1, "engine list", after="=== Before")[0])
        later = rows(trace.run(3, "engine list")[0])
        return bool(later) and before == later, f"{len(later)} engines, the same as before"

    for domain in ("catalog", "skill", "pipeline", "alert"):
        judge.expect("", f"{domain} is created", None, lambda d=domain: created(trace, d))
    judge.expect("", "model and service are created", None, lambda: succeeded(
        trace, (1, "aima model create"), (1, "aima service create"), (1, "aima engine list")))
    judge.expect("", "the kill struck a living daemon", None,
                 lambda: succeeded(trace, (2, "kill -9")))
    judge.expect(1, "models survive", "model still present", model)
    judge.expect(2, "services survive",
                 "service still present (status may show stale state)", service)
    judge.expect(3, "containers run on", "containers unaffected by AIMA process restart", containers,
                 lambda: "no service was ever started, so 0 is compared with 0"
                 if not rows(trace.run(3, "docker ps")[0]) else None)
    judge.expect(4, "service stop works after the restart",
                 "works — finds container by Docker label fallback",
                 lambda: succeeded(trace, (3, "aima service stop")),
                 "it had no container that could be found by its label")
    judge.expect(5, "engines are there again",
                 "engines present (re-loaded from embedded YAML assets)", engines)


def judge_what_was_in_memory(judge):
    trace = judge.trace

    def both(heading, pattern, name):
        before = trace.run(1, pattern, after=heading)[0]
        later = trace.run(3, pattern, after=heading)[0]
        return named(before, name), named(later, name), before, later

    def lost(heading, domain, name):
        first, second, _, later = both(heading, f"api/{domain}/list", name)
        return first is not None and second is None, \
            f"{name}: before {first and first['id']}, after {second and second['id']}; " \
            f"{json.loads(later)['total']} left"

    def builtin():
        _, _, before, later = both('echo "Skills:"', "api/skill/list", "-")
        names = [sorted(one["name"] for one in json.loads(text)["items"]
                        if one.get("source") == "builtin") for text in (before, later)]
        return bool(names[0]) and names[0] == names[1], f"built-in: {', '.join(names[1])}"

    judge.expect(6, "recipe is lost", "restart-test-recipe is GONE (memory-only store)",
                 lambda: lost('echo "Catalogs:"', "catalog", "restart-test-recipe"))
    judge.expect(7, "own skill is lost", "custom restart-test-skill is GONE; built-in skills may be "
                 "re-loaded from embedded YAML",
                 lambda: lost('echo "Skills:"', "skill", "restart-test-skill"))
    judge.expect(7, "built-in skills are back", None, builtin)
    judge.expect(8, "pipeline is lost", "restart-test-pipeline is GONE (memory-only store)",
                 lambda: lost('echo "Pipelines:"', "pipeline", "restart-test-pipeline"))
    judge.expect("", "alert rule is lost", "restart-test-alert is GONE (memory-only store)",
                 lambda: lost('echo "Alerts:"', "alert", "restart-test-alert"))


def judge_19(judge):
    judge_what_restarts(judge)
    judge_what_was_in_memory(judge)
    judge.expect("", "the last daemon ended cleanly", None,
                 lambda: succeeded(judge.trace, ("end", "wait")))


def judge_22(judge):
    trace = judge.trace

    def refused():
        text, status = trace.run(2, "curl -s")
        return status == 7 and text.endswith("HTTP 000\n"), f"curl exit {status}, {text.strip()}"

    def exit_code():
        text = trace.run(2, 'echo "Process exit code')[0]
        return text.strip() == "Process exit code: 0", text

    def in_flight():
        text = trace.run(3, "cat /tmp/inflight")[0]
        code = trace.run(3, 'echo "Curl exit code')[0].strip()
        return code == "Curl exit code: 0" and named(text, "shutdown-test") is not None, \
            f"{code}, {json.loads(text)['total']} models in the reply"

    def counts():
        text = trace.run(4, 'echo "Containers before')[0]
        numbers = re.findall(r"\d+", text)
        return len(numbers) == 2 and numbers[0] == numbers[1], text

    def integrity(block):
        text, status = trace.run(block, "PRAGMA integrity_check")
        return text.strip() == "ok" and status == 0, f"integrity_check: {text.strip()}"

    def readable():
        text, status = trace.run(5, "SELECT COUNT")
        found = trace.run(5, "find ~/.aima")[0]
        return status == 0 and int(text) >= 1 and "/data/aima.db" in found, \
            f"{text.strip()} models in {found.split()[0] if found else 'no file'}"

    def restarted():
        models = trace.run(6, "aima model list")[0]
        services = rows(trace.run(6, "aima service list")[0])
        fine, evidence = succeeded(trace, (6, "aima model list"), (6, "aima service list"),
                                   (6, "wait "))
        return fine and "shutdown-test" in models and len(services) == 1, evidence

    def survived():
        found = json.loads(trace.run(7, "aima model list --output json")[0])
        return found["name"] == "sigkill-test", f"id {found['id']}"

    def ended(block, nth, status):
        got = trace.run(block, r"^wait \$AIMA_PID", nth=nth)[1]
        return got == status, f"wait says {got}"

    judge.expect("", "model and service are created", None, lambda: succeeded(
        trace, (1, "aima model create"), (1, "aima service create")))
    judge.expect(1, "new connections are refused after SIGTERM",
                 "connection refused or timeout (server stopped accepting new connections)",
                 refused, "half a second after SIGTERM the idle process had long gone")
    judge.expect("", "exit status after SIGTERM", None, exit_code)
    judge.expect(2, "the request in flight is answered",
                 "response received (request completed before shutdown)", in_flight,
                 "model.list is over before SIGTERM is sent, as the document itself says")
    judge.expect(3, "containers run on",
                 "same count — Docker containers are independent of AIMA process", counts,
                 lambda: "no service was ever started, so 0 is compared with 0"
                 if "before: 0" in trace.run(4, 'echo "Containers before')[0] else None)
    judge.expect(4, "the database is whole after SIGTERM", '"ok"', lambda: integrity(5))
    judge.expect(4, "its rows can be read", "returns a count (not an error)", readable)
    judge.expect(5, "the process starts again", None, restarted)
    judge.expect("", "the kill struck a living daemon", None, lambda: ended(7, 0, 137))
    judge.expect(6, "the database is whole after SIGKILL",
                 '"ok" (SQLite WAL should handle this)', lambda: integrity(7))
    judge.expect(6, "the write before SIGKILL is there",
                 "model survived SIGKILL (SQLite WAL preserved it)", survived)
    judge.expect("", "the last daemon ended cleanly", None, lambda: ended(7, 1, 0))


DOCUMENTS = [("scenario-19.md", judge_19), ("scenario-22.md", judge_22)]
