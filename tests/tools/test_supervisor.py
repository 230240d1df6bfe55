"""The supervisor behind ./dev up outlives whatever its processes and the machine do."""
import pytest

import deployment as d


class Dead:
    pid = 4711

    def poll(self):
        return 1


class Alive:
    pid = 4712

    def poll(self):
        return None


class Postgres:
    def exists(self):
        return False


class Deployment:
    """`start` and `write_state` do what the test sets."""
    postgres = Postgres()

    def __init__(self):
        self.start = lambda instance: Dead()
        self.write_state = lambda processes: None


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(d.time, "monotonic", lambda: now[0])
    return now


def supervisor_of(deployment, process):
    supervisor = d.Supervisor(deployment)
    supervisor.processes["vaultd"] = process
    return supervisor


def seconds_until_restart(supervisor, clock):
    """Steps the clock until vaultd is started again."""
    before, begin = supervisor.processes["vaultd"], clock[0]
    while supervisor.processes["vaultd"] is before and clock[0] - begin < 100:
        supervisor.watch_once()
        clock[0] += 0.1
    return clock[0] - begin


def test_delay_grows_to_its_limit_and_no_further(clock):
    supervisor = supervisor_of(Deployment(), Dead())
    delays = [seconds_until_restart(supervisor, clock) for _ in range(12)]
    assert delays[0] < 1 and delays == sorted(delays)
    assert d.BACKOFF_SECONDS_MAX <= delays[-1] < d.BACKOFF_SECONDS_MAX + 1
    supervisor._failures["vaultd"] = 100_000  # a month of it
    assert seconds_until_restart(supervisor, clock) < d.BACKOFF_SECONDS_MAX + 1


def test_process_that_lived_long_is_started_again_at_once(clock):
    supervisor = supervisor_of(Deployment(), Dead())
    for _ in range(12):
        seconds_until_restart(supervisor, clock)
    clock[0] += d.STEADY_SECONDS
    assert seconds_until_restart(supervisor, clock) < 1


def test_each_death_and_start_is_said(clock, capsys):
    deployment = Deployment()
    deployment.start = lambda _: Alive()
    seconds_until_restart(supervisor_of(deployment, Dead()), clock)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].endswith("vaultd (pid 4711) ended with 1; it starts again in 0.2 s")
    assert said[1].endswith("vaultd started (pid 4712)")


def test_what_the_machine_refuses_is_said_and_tried_again(clock, capsys):
    def refuse(_):
        raise OSError("no space left on device")

    deployment = Deployment()
    deployment.start = refuse
    supervisor = supervisor_of(deployment, Dead())
    seconds_until_restart(supervisor, clock)
    assert "vaultd did not start: no space left" in capsys.readouterr().err
    deployment.start, deployment.write_state = lambda _: Alive(), refuse
    seconds_until_restart(supervisor, clock)
    assert "sandbox.json was not written: no space left" in capsys.readouterr().err
    written = []
    deployment.write_state = written.append
    supervisor.watch_once()
    supervisor.watch_once()
    assert len(written) == 1
