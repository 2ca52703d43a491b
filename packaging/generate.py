#!/usr/bin/env python3
"""generate.py AIMA HARNESS VERSION FOLDER: manual pages, bash completion and the settings example, made
from what the two programs say of themselves. Compressed files carry no time: a build gives the same bytes."""
import gzip
import sys
from pathlib import Path

sys.dont_write_bytecode = True
import commands  # noqa: E402
import completion  # noqa: E402
import manual  # noqa: E402


def compressed(path, text):
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
        out.write(text.encode())


def main():
    aima, harness, version, folder = sys.argv[1:]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for program in (commands.read_aima(aima), commands.read_harness(harness)):
        (folder / program.name).write_text(completion.script_of(program))
        (folder / f"{program.name}.1").write_text(manual.page_of(program, version))
    keys = manual.known_settings(aima)
    (folder / "aima.toml.5").write_text(manual.settings_page(keys, version))
    (folder / "aima.toml").write_text(manual.example(keys))
    here = Path(__file__).parent
    for name in ("aima.1", "aima-harness.1", "aima.toml.5"):
        compressed(folder / f"{name}.gz", (folder / name).read_text())
    compressed(folder / "changelog.Debian.gz", (here / "debian" / "changelog").read_text())
    compressed(folder / "scenarios.md.gz", (here.parent / "scenarios" / "README.md").read_text())


main()
