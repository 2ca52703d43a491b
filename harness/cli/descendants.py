"""Whatever a run left is a descendant of the test that asks here, with or without marks: /proc alone."""
import ctypes
import os
import pathlib

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Processes below this one whose parent ends become its children, not those of init."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def processes():
    """pid → (parent, state, command)."""
    table = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        table[int(entry.name)] = (int(fields[1]), fields[0], command)
    return table


def descendants():
    """pid → state and command of every living process below this one."""
    table = processes()
    found = {}
    for pid, (parent, state, command) in table.items():
        while parent in table and parent != os.getpid():
            parent = table[parent][0]
        if parent == os.getpid() and state not in "ZX":
            found[pid] = f"{state} {command}"
    return found
