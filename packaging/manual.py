"""Manual pages: commands and flags from the programs' own help (commands.py), settings from the
program's list of them, and what neither says written here."""
import re
import subprocess
import tempfile
from pathlib import Path

SEE = {"aima": r"\fBaima.toml\fR(5), \fBaima-harness\fR(1)",
       "aima-harness": r"\fBaima\fR(1)", "aima.toml": r"\fBaima\fR(1)"}

DESCRIPTION = {
    "aima": """aima manages AI inference on one machine: models, services (a model served by an engine), engines,
catalog recipes, skills, pipelines and alert rules. "aima start" is the daemon; every other command is a
client of its HTTP interface. What a command acknowledges is on disk, and services run on in containers or
processes of their own when the daemon ends, however it ends.""",
    "aima-harness": """aima-harness reads scenarios in YAML, spawns, signals, freezes and kills a daemon as they say, asks its
interfaces what is left, and answers PASS or FAIL for each criterion, with the evidence. Each run has its own
sandbox, port and labels, and leaves nothing behind.""",
}
LISTS = {
    "aima": {
        "EXIT STATUS": [
            ("0", "done; for start: ended cleanly"), ("1", "refused by the daemon"),
            ("64", "usage error"),
            ("69", "no daemon answers; for start: address in use or provider unavailable; for selftest: no "
                   "aima-harness"),
            ("74", "start: the store is damaged, locked, of a newer schema, or cannot be read"),
            ("75", "start: the drain ran out of time"), ("78", "start: configuration"),
            ("doctor", "0 healthy, 1 warnings, 2 something is broken"),
            ("selftest", "the exit status of aima-harness(1)")],
        "ENVIRONMENT": [
            ("AIMA_SERVER, AIMA_API_KEY", "as --server and --api-key"),
            ("HOME", "holds .aima/data where no --data-dir is given"),
            ("DOCKER_HOST", "the container engine: unix:///PATH, tcp://HOST:PORT (unix:///var/run/docker.sock)"),
            ("AIMA_LABELS", "k=v,k=v: further labels of every container; only what carries them is seen"),
            ("AIMA_ENGINE_TYPE_IMAGE, AIMA_ENGINE_TYPE_COMMAND",
             "the image and the native command of an engine type, as AIMA_ENGINE_VLLM_IMAGE"),
            ("TMPDIR", "where doctor puts the copy that it reads, and selftest its sandbox"),
            ("NOTIFY_SOCKET, LISTEN_FDS", "as systemd sets them")],
        "FILES": [
            ("~/.aima/data/aima.db, aima.db-wal", "the store; /var/lib/aima as a system service"),
            ("~/.aima/data/instances/, logs/", "native engines and what they wrote"),
            ("/usr/lib/systemd/system/aima.service, aima.socket",
             "the system service; enable the socket too, and a restart refuses no connection"),
            ("/etc/default/aima", "AIMA_OPTIONS=flags of start, for the system service"),
            ("/usr/share/doc/aima/examples/aima.toml", "a settings file with every key")],
        "EXAMPLES": [
            ("aima start --config /etc/aima.toml", "run the daemon in the foreground"),
            ("aima model create --name tiny --source ollama --repo tinyllama", "register a model"),
            ("aima service create --model-id model-1a2b3c4d --engine-type ollama", "define a service of it"),
            ("aima service start svc-5e6f7a8b --timeout 600", "start it and wait until it is healthy"),
            ("aima model list --output json | jq -r '.items[].id'", "results for programs"),
            ("aima doctor", "what is well and what is not; also when the daemon does not start"),
            ("aima selftest", "restart survival and graceful shutdown, proven on this program"),
            ("systemctl enable --now aima.socket aima.service", "as a system service")],
    },
    "aima-harness": {
        "EXIT STATUS": [
            ("0", "pass"), ("1", "fail: a proven one, whatever else happened"), ("2", "inconclusive"),
            ("3", "error of the harness or of this machine; a stored run that was edited"),
            ("4", "usage, or an invalid scenario"), ("5", "nothing selected"),
            ("6", "leftovers of the harness's own"), ("128+n", "stopped by signal n")],
        "ENVIRONMENT": [
            ("AIMA_HARNESS_ROOT", "as --root"), ("DOCKER_HOST", "the container engine"),
            ("TMPDIR", "where sandboxes are made"), ("NO_COLOR, CI", "plain output, no live progress"),
            ("GITHUB_ACTIONS, GITHUB_STEP_SUMMARY", "annotations, and the report in the job's summary")],
        "FILES": [
            ("scenarios/", "scenarios of the folder one works in; else those below"),
            ("/usr/share/aima-harness/scenarios/", "the scenarios of aima"),
            ("/usr/share/aima-harness/fixtures/targets/", "how the daemons are run"),
            ("/usr/share/aima-harness/reports/schema/", "JSON Schema of scenario files, for editors"),
            ("/usr/share/doc/aima/scenarios.md.gz", "every key of a scenario, with an example for each"),
            ("reports/runs/", "stored runs, with their evidence")],
        "EXAMPLES": [
            ("aima-harness run restart-survival graceful-shutdown", "the two seed scenarios"),
            ("aima-harness run --report junit=results.xml", "for a CI pipeline"),
            ("aima-harness new my-scenario && aima-harness check", "write one of your own"),
            ("aima-harness run my.yaml --set target.command=\"./my-daemon --port \\${port}\"",
             "another program than the target names"),
            ("aima-harness prove restart-survival", "can each of its criteria fail?")],
    },
}
# Every key of the settings file: default, meaning. What the program knows and this does not is found
# by packaging/packaging_test.py.
SETTINGS = {
    "addr": ("127.0.0.1:9090", "where to listen; port 0 takes any"),
    "data_dir": ("$HOME/.aima/data", "folder of the database"),
    "provider": ("auto", "what engines run on: auto, docker, native"),
    "shutdown_timeout": ("30s", "how long a stop waits for requests under way"),
    "drain_delay": ("0s", "how long a stop serves on, with /ready answering 503"),
    "engine_ports": ("8000-8999", "ports given to engines"),
    "log.level": ("info", "trace, debug, info, warn, error; read again on SIGHUP"),
    "log.format": ("text", "text, or json: one object a line"),
    "inference.timeout": ("300s", "how long an engine may be silent before a chat answers 504"),
    "security.api_keys": ("", "a list of keys, one of which every client must send; needed where addr is not "
                              "a loopback address; read again on SIGHUP"),
    "security.api_keys_file": ("", "a file with one key a line, readable by the daemon only; read again on SIGHUP"),
    "security.rate_limit": ("0", "requests a second that one client address may make; 0: no limit"),
    "security.rate_burst": ("", "how many at once after a pause; as many as rate_limit where not given"),
    "limits.header_bytes": ("16384", "the longest head of a request"),
    "limits.body_bytes": ("10485760", "the longest body of a request"),
    "limits.connections": ("10000", "how many connections at once"),
    "limits.header_timeout": ("10s", "how long a client may take for the head of a request"),
    "limits.body_timeout": ("60s", "how long it may take for the body"),
    "limits.idle_timeout": ("60s", "how long a kept connection may be silent"),
    "limits.write_timeout": ("60s", "how long a client may take for a reply"),
    "stores.all": ("", "memory or sqlite, for every domain that is not named itself"),
    "stores.model": ("sqlite", "memory or sqlite"),
    "stores.service": ("sqlite", "memory or sqlite"),
    "stores.catalog": ("memory", "memory or sqlite"),
    "stores.skill": ("memory", "memory or sqlite"),
    "stores.pipeline": ("memory", "memory or sqlite"),
    "stores.alert": ("memory", "memory or sqlite"),
}


def known_settings(aima):
    """The keys that the program takes: a wrong one makes it list them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "wrong.toml"
        file.write_text("there_is_no_such_setting = 1\n")
        done = subprocess.run([aima, "start", "--config", str(file), "--data-dir", f"{folder}/data"],
                              capture_output=True, text=True, check=False, timeout=30,
                              env={"HOME": folder, "PATH": "/usr/bin:/bin"})
    found = re.search(r"the keys are (.*)", done.stderr)
    if done.returncode != 78 or not found:
        raise SystemExit(f"{aima} does not list its settings: {done.stderr}")
    return found[1].split()


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    text = text.replace("`", "\\(ga").replace("'", "\\(aq")
    return "\\&" + text if text[:1] in (".", "'") else text


def plain(text):
    """Running text: a hyphen stays one."""
    return "\n".join(escaped(line) for line in text.splitlines())


def tagged(rows):
    return "".join(f".TP\n{left}\n{escaped(right) or '.'}\n" for left, right in rows)


def flag_row(flag):
    names = ", ".join(f"\\fB{escaped(name)}\\fR" for name in flag.names)
    value = flag.value.replace("TEXT ...", "TEXT").replace("...", "")
    return names + (f" \\fI{escaped(value)}\\fR" if value else ""), flag.text


def head(name, section, version, about):
    manual = "User Commands" if section == 1 else "File Formats"
    return (f'.TH {name.upper()} {section} "" "aima {version}" "{manual}"\n.SH NAME\n'
            f"{escaped(name)} \\- {escaped(about)}\n")


def page_of(program, version):
    text = head(program.name, 1, version, program.text.rstrip("."))
    text += f".SH SYNOPSIS\n\\fB{escaped(program.name)}\\fR \\fICOMMAND\\fR [\\fIFLAGS\\fR]\n"
    text += ".SH DESCRIPTION\n" + plain(DESCRIPTION[program.name]) + "\n.SH COMMANDS\n"
    for command in program.commands:
        operands = "".join(f" \\fI{escaped(name)}\\fR" + ("..." if many else "")
                           for name, many, _ in command.operands)
        text += f".SS {escaped(program.name)} {escaped(command.words)}{operands}\n{escaped(command.text)}\n"
        text += tagged([(f"\\fI{escaped(name)}\\fR", about) for name, _, about in command.operands if about])
        text += tagged([flag_row(flag) for flag in command.flags])
    text += ".SH EVERYWHERE\n" + tagged([flag_row(flag) for flag in program.everywhere])
    for title, rows in LISTS[program.name].items():
        text += f".SH {title}\n"
        if title == "EXAMPLES":
            text += "".join(f".PP\n{escaped(about)}:\n.PP\n.RS 4\n.EX\n{escaped(typed)}\n.EE\n.RE\n"
                            for typed, about in rows)
        else:
            text += tagged([(f"\\fB{escaped(left)}\\fR", right) for left, right in rows])
    return text + f".SH SEE ALSO\n{SEE[program.name]}\n"


def settings_page(keys, version):
    text = head("aima.toml", 5, version, "settings of the aima daemon")
    text += (".SH DESCRIPTION\n" + plain("The file that \"aima start --config FILE\" reads: TOML. Every key is "
             "optional, flags win, and\nan unknown key is refused with its line. A length of time is 30s, "
             "500ms, 1.5s, 2m or 1h.") + "\n.SH KEYS\n")
    for key in keys:
        default, about = SETTINGS.get(key, ("", "see daemon/CONTRACT.md"))
        table, _, name = key.rpartition(".")
        shown = f"\\fB{escaped(name)}\\fR" + (f" in [{escaped(table)}]" if table else "")
        text += f".TP\n{shown}\n{escaped(about)}" + (f" ({escaped(default)})" if default else "") + "\n"
    text += (".SH EXAMPLE\n.EX\n" + "".join(escaped(line) + "\n" for line in example(keys).splitlines()
                                             if line and not line.startswith("# ")) + ".EE\n")
    return text + f".SH SEE ALSO\n{SEE['aima.toml']}\n"


def example(keys):
    """A settings file with every key at its default, commented out."""
    lines = ["# Settings of the aima daemon, for \"aima start --config FILE\"; see aima.toml(5).",
             "# Each key is shown with its default. The system service takes flags from /etc/default/aima:",
             "# AIMA_OPTIONS=\"--config /etc/aima.toml\""]
    last = ""
    for key in sorted(keys, key=lambda key: ("." in key, key.split(".")[0])):
        table, _, name = key.rpartition(".")
        if table != last:
            lines += ["", f"[{table}]"]
            last = table
        default, about = SETTINGS.get(key, ("", "see daemon/CONTRACT.md"))
        lines += [f"# {about}", f'#{name} = "{default}"']
    return "\n".join(lines) + "\n"
