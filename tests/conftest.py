"""What every Python test finds: the tools of ./dev and the tests' own support modules."""
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).parent
for folder in (TESTS.parent / "tools", TESTS / "support"):
    sys.path.insert(0, str(folder))

import own_network  # noqa: E402
import turns  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: stands still for seconds, beside no other test")
    if hasattr(config, "workerinput"):  # one of several at once
        own_network.enter()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """All of a test, with what is set up for it and for its module."""
    if not hasattr(item.config, "workerinput"):
        yield
        return
    with turns.turn(alone=item.get_closest_marker("alone") is not None):
        yield
