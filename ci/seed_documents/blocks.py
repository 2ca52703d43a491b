"""The bash blocks of a seed document as one script, and the trace of what each command did."""
import re

# Written before the blocks. The trap marks, before each command, the block, the status of the
# command before and the command itself, so that output and status can be told apart; it changes
# nothing that the blocks see.
PREAMBLE = r"""
__mark() { printf '\036%s\036%s\036%s\037' "$__block" "$1" "$2"; }
trap '__mark "$?" "$BASH_COMMAND"' DEBUG
"""


def blocks_of(text):
    return re.findall(r"^```bash\n(.*?)^```", text, re.S | re.M)


def criteria_of(text):
    return {int(n): words for n, words in re.findall(r"^(\d+)\. \[ \] (.+)$", text, re.M)}


def script_of(blocks):
    parts = [PREAMBLE]
    for number, block in enumerate(blocks, 1):
        parts.append(f"__block={number}\nprintf '\\036block {number}\\037' >&2\n{block}\n")
    # A clean-up that ends with `kill` does not wait: we do, and note how the daemon ended.
    parts.append('__block=end\nwait "$AIMA_PID" 2>/dev/null\n: the end\n')
    return "".join(parts)


class Trace:
    """What each command of the blocks printed, and its status."""

    def __init__(self, out, err):
        self.commands = []  # {block, command, output, status}
        for found in re.finditer("\036([^\036\037]*)\036(\\d+)\036([^\037]*)\037([^\036]*)", out):
            block, before, command, output = found.groups()
            if self.commands:
                self.commands[-1]["status"] = int(before)
            self.commands.append({"block": block, "command": command, "output": output,
                                  "status": None})
        self.errors = err

    def find(self, block, pattern, after=None, nth=0):
        """The nth command of a block that matches; with `after`, counted from that one on."""
        begin = 0
        if after is not None:
            begin = self.commands.index(self.find(block, after)) + 1
        hits = [one for one in self.commands[begin:]
                if one["block"] == str(block) and re.search(pattern, one["command"], re.S)]
        if len(hits) <= nth:
            raise LookupError(f"block {block} never came to: {pattern}")
        return hits[nth]

    def run(self, block, pattern, after=None, nth=0):
        """(output, status) of the pipeline that begins with that command."""
        first = self.find(block, pattern, after, nth)
        index = self.commands.index(first)
        while self.commands[index]["status"] is not None and index + 1 < len(self.commands) and \
                self.commands[index]["output"] == "" and \
                re.match(r"jq\b|wc\b", self.commands[index + 1]["command"]):
            index += 1
        return self.commands[index]["output"], self.commands[index]["status"]
