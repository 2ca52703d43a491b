"""The rows of ci/hostile-runs: which manner of a daemon meets which mishap of the harness."""
import itertools

SERVICE = """  - start: {}
  - cli: model create --name m --source ollama --repo tinyllama
    capture: {model_id: .id}
  - cli: service create --model-id ${model_id} --engine-type vllm
    capture: {service_id: .id}
  - cli: service start ${service_id} --wait --timeout 20
"""
SHORT = "  - start: {}\n  - shell: 'true'\n    criterion: 1\n  - stop: {}\n"
LONG = "  - start: {}\n  - await: {file: never-there, within: 15s}\n    criterion: 1\n  - stop: {}\n"
MIDDLE = "  - start: {}\n  - shell: sleep 0.5\n    criterion: 1\n  - stop: {}\n"
LATE = ("  - start: {}\n  - await: {exit: {code: 3}, within: 1500ms}\n    criterion: 1\n"
        "    expect: '.exit.code == 3'\n")

# What the run of a manner ends with when nothing happens to the harness.
MANNERS = {
    "behaves": {0}, "dies-at-start": {1}, "dies-early": {1}, "never-ready": {1}, "ignores-term": {1},
    "ignores-all": {1}, "floods": {0}, "leaves-child": {1}, "hides-child": {1}, "escapes-child": {1},
    "flees": {1}, "multiplies": {1}, "stops-early": {1}, "stops": {1}, "becomes-another": {0, 1},
    "segfaults": {1}, "crashes": {1}, "exits-later": {0, 1},
}
TIMES = {"floods": 64, "multiplies": 500, "exits-later": 1}
# Only a cgroup or a PID namespace holds these; the marks alone say that they do not.
UNMARKED = ("flees", "escapes-child")
PLAIN = ("none", "disk full (runs)", "disk full (sandbox)", "disk fills (runs)", "disk fills (sandbox)",
         "output closed", "output unread", "two at once", "engine hangs")


class Row:
    def __init__(self, manner, mishap, step="2", steps=LONG, allowed=None, target="misbehaving"):
        self.manner, self.mishap, self.step, self.steps = manner, mishap, step, steps
        if step == "3":
            self.steps = steps.replace("within: 15s", "within: 300ms")
        self.allowed, self.target = allowed, target

    def __str__(self):
        at = f" at step {self.step}" if self.mishap not in PLAIN else ""
        return f"{self.manner} × {self.mishap}{at}"


def rows_of(options, contained):
    everything = SERVICE + "  - await: {file: never-there, within: 15s}\n    criterion: 1\n"
    rows = [Row("behaves", mishap, steps=MIDDLE if "fills" in mishap else SHORT)
            for mishap in PLAIN if mishap != "engine hangs"]
    rows += [Row("exits-later", "stopped", steps=LATE, allowed={0, 2}),
             Row("exits-later", "stopped", steps=LATE.replace(".exit.code == 3", ".waited_ms < 1500"),
                 allowed={2})]
    held = [m for m in MANNERS if contained or m not in UNMARKED]
    if options.provider == "docker":
        rows.append(Row("behaves", "engine hangs", steps=everything, target="aima"))
    services = [("killed", "5"), ("interrupted ×1", "4"), ("interrupted ×3", "5")]
    if options.long:
        services = list(itertools.product(["killed"] + [f"interrupted ×{n}" for n in (1, 2, 3)], "12345"))
    rows += [Row("behaves", mishap, step, everything, target="aima") for mishap, step in services]
    if not options.long:
        rows += [Row("hides-child", f"interrupted ×{times}", step)
                 for times, step in ((1, "1"), (2, "2"), (3, "2"), (1, "3"))]
        return rows + [Row(manner, "killed") for manner in held if manner in (
            "leaves-child", "escapes-child", "flees", "multiplies", "ignores-all", "stops",
            "becomes-another")] + [Row(m, "none", steps=SHORT) for m in held if m in (
                "flees", "multiplies", "escapes-child", "becomes-another")]
    rows += [Row(manner, "none", steps=SHORT) for manner in held]
    rows += [Row(manner, "two at once", steps=SHORT) for manner in held]
    rows += [Row(manner, "stopped", steps=MIDDLE, allowed=MANNERS[manner] | {2}) for manner in (
        "behaves", "floods", "leaves-child", "ignores-term", "multiplies", "becomes-another")]
    mishaps = ["killed"] + [f"interrupted ×{times}" for times in (1, 2, 3)]
    return rows + [Row(manner, mishap, step) for manner in held for mishap in mishaps for step in "123"]
