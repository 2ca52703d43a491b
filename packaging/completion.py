"""Bash completion from a program's own help (commands.py). What a value is, is told by the word that
help shows for it; where that is only TEXT, by the table below."""
from pathlib import Path

# aima: the word in help → what completes it. Any a|b|c is its own list of words.
AIMA = {"FILE": "files:", "DIR": "dirs:", "MODEL": "ask:model", "ENGINE": "ask:engine"}
# aima-harness: the flag or operand → what completes it; "free" is typed by the user alone.
HARNESS = {
    "PATH": "ask+files:scenarios", "RUN": "runs:", "OTHER": "runs:", "NAME": "free:",
    "WHAT": "words:scenarios steps faults probes sabotages reporters targets",
    "--root": "dirs:", "--out": "dirs:", "--target": "ask+files:targets", "--sabotage": "ask:sabotages",
    "--report": "pairs:console json junit markdown", "--format": "pairs:console json junit markdown",
    "--set": "free:", "--filter": "free:", "--seed": "free:", "--timeout": "free:",
}
# Operands of aima that are not an id of the command's own group.
OPERANDS = {"pipeline status": "free:", "pipeline cancel": "free:", "skill search": "free:",
            "inference chat": "free:", "exec": "ask:units", "selftest": "ask+files:scenarios"}

ASK_AIMA = r"""# What the daemon knows of the kind $1; at most half a second, and nothing where none answers.
_aima_ask() {
  local i
  local -a where=()
  for ((i = 0; i < ${#_aima_typed[@]}; i++)); do
    case ${_aima_typed[i]} in
      --server=* | --api-key=*) where+=("${_aima_typed[i]}") ;;
      --server | --api-key) where+=("${_aima_typed[i]}" "${_aima_typed[i + 1]:-}") ;;
    esac
  done
  {
    case $1 in
      scenarios) "$_aima_program" selftest --list | awk 'NR > 1 {print $1}' ;;
      units) "$_aima_program" exec system.units --timeout 500ms --output json "${where[@]}" |
        sed -n 's/^      "name": "\([a-z]*\.[a-z]*\)",$/\1/p' ;;
      *) "$_aima_program" "$1" list --limit 500 --timeout 500ms --output table "${where[@]}" |
        awk 'NR > 1 && $1 !~ /^\(/ {print $1}' ;;
    esac
  } 2>/dev/null </dev/null
}"""

ASK_HARNESS = r"""# Names of the kind $1 that the harness knows.
_aima_harness_ask() {
  "$_aima_harness_program" list "$1" 2>/dev/null </dev/null | awk 'NR > 1 && /^  [^ ]/ {print $1}'
}"""


def words_kind(value):
    return "words:" + " ".join(value.split("|")) if "|" in value else None


def takes(program, command, flag):
    """What a flag's value is; None where the table does not say."""
    if not flag.value:
        return ""
    if words_kind(flag.value):
        return words_kind(flag.value)
    if program.name == "aima":
        return AIMA.get(flag.value, "free:")
    if flag.value == "N":
        return "free:"
    if flag.value.startswith("TEXT"):
        return HARNESS.get(flag.names[-1])
    return "words:" + flag.value


def operand_takes(program, command, name):
    if program.name != "aima":
        return HARNESS.get(name)
    if command.words in OPERANDS:
        return OPERANDS[command.words]
    return "ask:" + command.words.split()[0] if name == "ID" else None


def unknown(program):
    """Flags and operands that nobody said how to complete."""
    missing = []
    for command in program.commands:
        missing += [f"{command.words} {flag.names[-1]}" for flag in command.flags
                    if takes(program, command, flag) is None]
        missing += [f"{command.words} {name}" for name, _, _ in command.operands
                    if operand_takes(program, command, name) is None]
    return missing


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def script_of(program):
    prefix = "_" + program.name.replace("-", "_")
    flags, kinds, verbs, top = {"everywhere": []}, {}, {}, []
    for flag in program.everywhere:
        flags["everywhere"] += [name for name in flag.names if name.startswith("--")]
        for name in flag.names:
            kind = takes(program, None, flag)
            if kind:
                kinds[f"* {name}"] = kind
    for command in program.commands:
        first, _, verb = command.words.partition(" ")
        if first not in top:
            top.append(first)
        if verb:
            verbs.setdefault(first, []).append(verb)
        own = [name for flag in command.flags for name in flag.names if name.startswith("--")]
        flags[command.words] = own
        for flag in command.flags:
            kind = takes(program, command, flag)
            if kind is None:
                kind = "free:"
            for name in flag.names:
                if kind:
                    kinds[f"{command.words} {name}"] = kind
        if command.operands:
            name, many, _ = command.operands[0]
            kind = operand_takes(program, command, name) or "free:"
            several = many or len(command.operands) > 1
            kinds[command.words] = ("n " if several else "1 ") + kind
    if program.name == "aima":
        top.append("help")
        kinds["help"] = "n words:" + " ".join(top)

    def table(rows):
        return "\n".join(f"  [{quoted(key)}]={quoted(value)}" for key, value in rows.items())

    text = (Path(__file__).parent / "completion.bash.in").read_text()
    for mark, value in (("@ASK@", ASK_AIMA if program.name == "aima" else ASK_HARNESS),
                        ("@FLAGS@", table({key: " ".join(value) for key, value in flags.items()})),
                        ("@TAKES@", table(kinds)), ("@COMMANDS@", " ".join(top)),
                        ("@VERBS@", table({key: " ".join(value) for key, value in verbs.items()})),
                        ("@PROGRAM@", program.name), ("@P@", prefix)):
        text = text.replace(mark, value)
    return text
