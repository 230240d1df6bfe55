"""Holding a deployment still in the middle of what it does, without its help: a process that is
frozen, a database whose writers wait, a processor that does not answer. Whoever needs one of them
next stands at exactly that step until it is given back.
"""
import contextlib
import os
import pathlib
import signal
import sqlite3
import time

import psycopg2

from running_deployment import wait_until

STILL_SECONDS = 0.012  # above the pauses of whoever polls
STOPPED = "T"
ASLEEP = "S"


def family(process):
    """The pids of a process and its children: PostgreSQL serves in them."""
    pids, found = [process.pid], []
    while pids:
        pid = pids.pop()
        found.append(pid)
        children = f"/proc/{pid}/task/{pid}/children"
        with contextlib.suppress(OSError), open(children) as file:
            pids += map(int, file.read().split())
    return found


@contextlib.contextmanager
def frozen(deployment, instance):
    """`instance` is there and answers nothing."""
    pids = family(deployment.processes[instance])
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        # A thread that waits for a processor stops when it gets one; until then the others go on.
        wait_until(lambda: _states(pids) == {STOPPED}, f"{instance} is frozen")
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def locked(deployment, database):
    """Whoever writes to `database` waits, up to its statement timeout; reading goes on."""
    url = deployment.state()["databases"][database]
    if url.startswith("sqlite:"):
        connection = sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection = psycopg2.connect(url)
        cursor = connection.cursor()
        cursor.execute("SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
                       " WHERE schemaname = 'public'")
        cursor.execute(f"LOCK TABLE {cursor.fetchone()[0]} IN SHARE ROW EXCLUSIVE MODE")
    with contextlib.closing(connection):
        yield


def forget_waiting_writers(deployment, database):
    """PostgreSQL forgets whoever waits in locked(), with what it had sent; else that is written as
    soon as it may be, though its sender is dead.
    """
    with contextlib.closing(psycopg2.connect(deployment.state()["databases"][database])) as asking:
        asking.cursor().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                " WHERE wait_event_type = 'Lock' AND datname = current_database()")


def _threads(pid):
    """{thread: (state, how often it went to sleep or was preempted)} of a process."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        fields = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        found[task.name] = (fields["State"].split()[0], fields["voluntary_ctxt_switches"],
                            fields["nonvoluntary_ctxt_switches"])
    return found


def _states(pids):
    return {state for pid in pids for state, *_ in _threads(pid).values()}


def restless(deployment, instances):
    """Which of `instances` do something: the others wait for somebody who is frozen, or for us."""
    def seen():
        return {(instance, thread): state for instance in instances
                for pid in family(deployment.processes[instance])
                for thread, state in _threads(pid).items()}

    try:
        before = seen()
        time.sleep(STILL_SECONDS)
        after = seen()
    except FileNotFoundError:
        return {"a thread or process that has just ended"}
    return {instance for (instance, thread), state in after.items()
            if state[0] not in (ASLEEP, STOPPED) or state != before.get((instance, thread))}
