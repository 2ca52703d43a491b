"""What the tests beside this file share: the real harness, run from outside in a folder of its own.

Imported before anything reads sys.argv: HARNESS SOURCE_ROOT [--provider native|docker] [--long] are
taken from it, what is left is unittest's.
"""
import argparse
import os
import pathlib
import sys
import tempfile
import unittest

parser = argparse.ArgumentParser(usage=sys.modules["__main__"].__doc__, allow_abbrev=False,
                                 add_help=False)  # -h lists what unittest knows
parser.add_argument("harness", type=os.path.abspath)
parser.add_argument("root", type=os.path.abspath)
parser.add_argument("--provider", default="native")
parser.add_argument("--long", action="store_true")
OPTIONS, sys.argv[1:] = parser.parse_known_args()
HARNESS, ROOT, LONG = OPTIONS.harness, OPTIONS.root, OPTIONS.long

# What a sanitizer build is told; nothing in others. A sanitizer finds in an eighth what it finds in
# all, and the time of its run says nothing of ours.
SANITIZERS = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}
LESS, PATIENCE = (8, 4) if SANITIZERS else (1, 1)

# Steps: the aima daemon with a service that runs.
SERVICE = """  - start: {}
  - cli: model create --name m --source ollama --repo tinyllama
    capture: {model_id: .id}
  - cli: service create --model-id ${model_id} --engine-type vllm
    capture: {service_id: .id}
  - cli: service start ${service_id} --wait --timeout 20
"""


def environment_in(folder):
    """Nothing of ours but the way to programs; HOME and temporary files are in the folder."""
    temporary = pathlib.Path(folder) / "tmp"
    temporary.mkdir(exist_ok=True)
    return {**SANITIZERS, "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(temporary),
            "NO_COLOR": "1"}


class HarnessTest(unittest.TestCase):
    """A folder of its own for each case."""

    def setUp(self):
        name = type(self).__name__.lower()
        self.folder = tempfile.TemporaryDirectory(prefix=f"{name}-{os.getpid()}-")
        self.path = pathlib.Path(self.folder.name)
        self.environment = environment_in(self.path)

    def tearDown(self):
        self.folder.cleanup()


def main():
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
