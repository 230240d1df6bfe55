"""What every Python test finds: the tools of ./dev and the tests' own support modules."""
import pathlib
import sys

TESTS = pathlib.Path(__file__).parent
for folder in (TESTS.parent / "tools", TESTS / "support"):
    sys.path.insert(0, str(folder))
