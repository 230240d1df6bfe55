"""Deployments of real processes. Tests that damage theirs take a fresh one."""
import contextlib

import pytest

from running_deployment import running


# What no test could wait for otherwise: expired cards go at once, and a budget is soon spent.
LIMITS = """\
purge_expired_after_hours = 0
deletes_per_minute = 60
deletes_per_minute_key = 30
"""


@contextlib.contextmanager
def soon_at_limits(deployment):
    text = deployment.config.read_text()
    deployment.config.write_text(text.replace("[vaultd]\n", "[vaultd]\n" + LIMITS, 1))
    yield


@pytest.fixture(scope="session")
def deployment():
    """On SQLite; shared, so a test brings merchants and cards of its own."""
    with running("sqlite", soon_at_limits) as made:
        yield made


@pytest.fixture(scope="session")
def postgres_deployment():
    with running("postgres", soon_at_limits) as made:
        yield made


@pytest.fixture(scope="session")
def softokn_deployment():
    """On SQLite, and on NSS softokn where the others have SoftHSM."""
    with running("sqlite", soon_at_limits, hsm="softokn") as made:
        yield made


@pytest.fixture(params=["deployment", "postgres_deployment", "softokn_deployment"])
def each_hsm(request):
    """The shared deployments on each HSM in turn, and on each database."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["sqlite", "postgres"])
def each_deployment(request):
    """The shared deployment on each database in turn."""
    name = {"sqlite": "deployment", "postgres": "postgres_deployment"}[request.param]
    return request.getfixturevalue(name)
