"""The commands of aima and aima-harness, read from their own --help: what manual pages and completion
are made from, so that neither can say what the program does not."""
import os
import re
import subprocess
from dataclasses import dataclass, field


@dataclass
class Flag:
    names: list  # "-j", "--jobs"
    value: str   # as help shows it, "auto|docker|native", "FILE"; empty: takes none
    text: str


@dataclass
class Command:
    words: str  # "model create", "run"
    text: str
    operands: list = field(default_factory=list)  # (name, may be several, text)
    flags: list = field(default_factory=list)


@dataclass
class Program:
    name: str
    text: str
    commands: list
    everywhere: list  # flags that every command takes


def said(program, *words):
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False,
                          env=environment | {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
    if done.returncode != 0:
        raise SystemExit(f"{program} {' '.join(words)}: exit status {done.returncode}: {done.stderr}")
    return done.stdout


def rows_of(lines):
    """"  left   right" → (left, right)."""
    for line in lines:
        found = re.match(r"  (\S.*?)  +(\S.*)$", line)
        if found:
            yield found[1], found[2]


def paragraph(text, head):
    """The lines below the line that begins with `head`, up to an empty one."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(head):
            end = next((i for i in range(number + 1, len(lines)) if not lines[i]), len(lines))
            return lines[number + 1:end]
    return []


def flag_of(left, text):
    names, _, value = left.partition(" ")
    return Flag(names.split(","), value, text)


def read_aima(program):
    whole = said(program, "--help")
    paragraphs = whole.split("\n\n")
    result = Program("aima", paragraphs[0].split(": ", 1)[1], [],
                     [flag_of(*row) for row in rows_of(paragraph(whole, "Everywhere"))])
    for typed, text in rows_of(paragraphs[2].splitlines()):
        page = said(program, *typed.split(), "--help")
        usage, _, *rest = page.split("\n\n")
        command = Command(typed, text)
        for word in usage.removeprefix(f"Usage: aima {typed}").replace("[FLAGS]", "").split():
            name = word.strip("[]…")
            command.operands.append((name, "…" in word, ""))
        flags = [part for part in rest if part.startswith("  --")]
        if flags:
            command.flags = [flag_of(*row) for row in rows_of(flags[0].splitlines())]
        result.commands.append(command)
    return result


def cli11_rows(lines):
    """CLI11's two columns; a long left one stands alone, with its text on the next line."""
    rows = []
    for line in lines:
        if re.match(r"  \S", line):
            left, _, text = re.sub(r"  +", "\0", line[2:], count=1).partition("\0")
            rows.append([left, text])
        elif rows:
            rows[-1][1] = (rows[-1][1] + " " + line.strip()).strip()
    return rows


def cli11_flag(left, text):
    names, _, value = left.partition(" ")
    words = re.search(r"\{(.*)\}", value)
    if words:
        value = "|".join(words[1].split(", "))
    elif value.startswith("INT"):
        value = "N"
    return Flag(names.split(","), value, text)


def read_harness(program):
    whole = said(program, "--help")
    result = Program("aima-harness", whole.splitlines()[0], [],
                     [cli11_flag(*row) for row in cli11_rows(paragraph(whole, "Options:"))])
    result.everywhere = [flag for flag in result.everywhere if "--version" not in flag.names]
    for name, text in cli11_rows(paragraph(whole, "Subcommands:")):
        page = said(program, name, "--help")
        command = Command(name, text)
        for left, about in cli11_rows(paragraph(page, "Positionals:")):
            command.operands.append((left.split()[0], left.endswith("..."), about))
        command.flags = [cli11_flag(*row) for row in cli11_rows(paragraph(page, "Options:"))
                         if not row[0].startswith("-h")]
        result.commands.append(command)
    return result
