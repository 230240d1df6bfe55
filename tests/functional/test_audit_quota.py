"""A writer that floods the log is held at its quota: what it cannot log it does not do, the other
writers go on, and the log tells of it.
"""
import contextlib
import datetime
import json
import re
import signal
import threading
import time

import pytest

import leak_scan
from running_deployment import running, wait_until

QUOTA_BYTES = 1 << 20  # a minute
CLIENTS = 4
FLOOD_SECONDS = 50     # a minute's quota must be spent before it has come back


def set_quota(deployment, mib_per_minute):
    text, count = re.subn(r"(?m)^quota_mib_per_minute = \d+",
                          f"quota_mib_per_minute = {mib_per_minute}", deployment.config.read_text())
    assert count == 1
    deployment.config.write_text(text)


@contextlib.contextmanager
def small_quota(deployment):
    set_quota(deployment, 1)
    yield


@pytest.fixture(scope="module")
def deployment():
    with running(around=small_quota) as made:
        yield made


def card():
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                     "exp_year": datetime.date.today().year + 1}}


def flood(deployment):
    """Adds cards until one is refused; (how many were taken, the refusals)."""
    taken, refused, deadline = [], [], time.monotonic() + FLOOD_SECONDS

    def add():
        client = deployment.gateway()
        while not refused and time.monotonic() < deadline:
            answer = client.post("/v1/tokens", card())
            (taken if answer.status == 201 else refused).append(answer)

    clients = [threading.Thread(target=add) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return len(taken), refused


def failures(deployment):
    return [entry["unmapped"]["outcome"] for entry in
            deployment.audit_entries(event_type="log.failure")
            if entry["resources"] == [{"uid": "quota of vaultd"}]]


def test_a_writer_above_its_quota_is_refused_and_the_others_go_on(deployment):
    begin = time.monotonic()
    cards, refused = flood(deployment)
    assert refused and {(answer.status, answer.problem) for answer in refused} == {
        (503, "audit-unavailable")}
    minutes = (time.monotonic() - begin) / 60
    written = sum(len(json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode())
                  for entry in deployment.audit_entries()
                  if entry["actor"]["app_uid"] == "vaultd")
    assert QUOTA_BYTES * 0.8 < written < QUOTA_BYTES * (1 + minutes) + 4096
    assert deployment.metrics("auditd")["strongroom_audit_above_quota_total"] > 0
    assert deployment.vault_rows("SELECT count(*) FROM cards") == [(cards,)], "none without entry"
    merchant = deployment.new_merchant()  # authd's entries
    assert merchant.id and deployment.is_ready("auditd")
    wait_until(lambda: failures(deployment) == ["failed"], "the log tells")

    set_quota(deployment, 1024)
    deployment.processes["auditd"].send_signal(signal.SIGHUP)
    client = deployment.gateway()
    wait_until(lambda: client.post("/v1/tokens", card()).status == 201, "a larger quota is read")
    assert [client.post("/v1/tokens", card()).status for _ in range(100)] == [201] * 100
    wait_until(lambda: deployment.strongroom("audit", "verify")["open_intent_count"] == 0,
               "every intent has its outcome")
