"""Deployments of real processes. Tests that damage theirs take a fresh one."""
import pytest

from running_deployment import running


@pytest.fixture(scope="session")
def deployment():
    """On SQLite; shared, so a test brings merchants and cards of its own."""
    with running("sqlite") as made:
        yield made


@pytest.fixture(scope="session")
def postgres_deployment():
    with running("postgres") as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
def each_deployment(request):
    """The shared deployment on each database in turn."""
    name = {"sqlite": "deployment", "postgres": "postgres_deployment"}[request.param]
    return request.getfixturevalue(name)
