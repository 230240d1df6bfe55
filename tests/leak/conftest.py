"""Deployments through which a card has gone in every way, each way of holding secrets."""
import contextlib
import os
import time

import pytest

import card_traffic
import process_memory
from canary import Canary
from running_deployment import RunningDeployment, folder

SETTLE_SECONDS = 1  # outcomes reach the log, wiped blocks their lists


class Exposed:
    """A deployment at rest, its connections open, and the cards that went through it."""

    def __init__(self, deployment, secret_memory):
        self.deployment = deployment
        self.secret_memory = secret_memory
        self.started = time.time()
        self.kept = Canary()     # stays in the vault, its verification code waits in memory
        self.deleted = Canary()
        self.clients = []
        self._memory = {}

    @property
    def canaries(self):
        return self.kept, self.deleted

    def spend(self):
        for canary in self.canaries:
            self.clients += card_traffic.good(self.deployment, canary,
                                              delete=canary is self.deleted)
            self.clients += card_traffic.bad(self.deployment, canary)
        time.sleep(SETTLE_SECONDS)

    def memory(self, instance):
        """Read once: the processes idle."""
        if instance not in self._memory:
            pid = self.deployment.processes[instance].pid
            self._memory[instance] = process_memory.read(pid)
        return self._memory[instance]

    def close(self):
        for client in self.clients:
            client.close()


@contextlib.contextmanager
def exposed(database, secret_memory):
    with folder() as parent:
        deployment = RunningDeployment(parent / "deployment")
        deployment.create(database)
        text = deployment.config.read_text()
        assert text.count('secret_memory = "auto"') == 1
        deployment.config.write_text(text.replace('secret_memory = "auto"',
                                                  f'secret_memory = "{secret_memory}"'))
        made = Exposed(deployment, secret_memory)
        try:
            deployment.supervisor.start_all()
            made.spend()
            yield made
        finally:
            made.close()
            deployment.supervisor.stop_all()


@pytest.fixture(scope="session", params=[("sqlite", "auto"), ("sqlite", "mlock"),
                                         ("postgres", "mlock")], ids="-".join)
def spent(request):
    if os.geteuid() != 0:
        pytest.skip("only root can read another process's memory")
    with exposed(*request.param) as made:
        yield made


@pytest.fixture(scope="session")
def mlocked():
    """Secrets in memory that root can read, for looking at how they come and go."""
    if os.geteuid() != 0:
        pytest.skip("only root can read another process's memory")
    with exposed("sqlite", "mlock") as made:
        yield made
