"""One merchant asks about its audit log more than there is room for; another's questions are
answered all the same."""
import collections
import concurrent.futures
import datetime
import threading
import time

import pytest

import api
from running_deployment import running, wait_until

ASKERS = 48         # more than the connections that edged had for all of them once
AHEAD = 3_000       # an entry that is so far from being signed for is waited for
PROMPT_SECONDS = 1


@pytest.fixture(scope="module")
def deployment():
    with running("sqlite") as made:
        yield made


class Reader:
    def __init__(self, deployment):
        state = deployment.state()
        self.merchant = deployment.new_merchant()
        self.log = f"{self.merchant.id}/{datetime.datetime.now(datetime.timezone.utc).year}"
        self.open = lambda: api.Api(state["gateway_url"], state["ca_cert"], self.merchant.api_key)
        self.own = self.open()
        assert self.get("entries")[0] == 200  # which is an entry itself
        wait_until(lambda: self.get(f"logs/{self.log}/proof/0")[0] == 200, "a log with an entry")

    def get(self, path, connection=None):
        return (connection or self.own).call("GET", f"/v1/audit/{path}")


def flood(reader, until, answers):
    """Asks for a proof that takes two seconds to be refused, or searches, one after the other."""
    connection = reader.open()
    while not until.is_set():
        for path in (f"logs/{reader.log}/proof/{AHEAD}", "entries?type=log.read&limit=100"):
            status, body, headers = reader.get(path, connection)
            answers[status, isinstance(body, dict) and body.get("type", "").split(":")[-1]] += 1
            if status == 429:
                assert int(headers["retry-after"]) > 0
                time.sleep(0.1)


def test_flood_of_questions_holds_up_no_other_merchant(deployment):
    flooder, other = Reader(deployment), Reader(deployment)
    answers, until = collections.Counter(), threading.Event()
    with concurrent.futures.ThreadPoolExecutor(ASKERS) as pool:
        askers = [pool.submit(flood, flooder, until, answers) for _ in range(ASKERS)]
        try:
            wait_until(lambda: sum(answers.values()) > 2 * ASKERS, "the flood")
            slowest = 0
            for path in ("logs", f"logs/{other.log}/proof/0", f"logs/{other.log}/checkpoint",
                         "entries", f"logs/{other.log}/proof/0"):
                begun = time.monotonic()
                assert other.get(path)[0] == 200, path
                slowest = max(slowest, time.monotonic() - begun)
        finally:
            until.set()
        for asker in askers:
            asker.result()
    assert slowest < PROMPT_SECONDS
    refused = {(404, "not-found"), (429, "rate-limited")}
    assert refused <= set(answers), "a proof that did not come, and more than its share"
    assert set(answers) - refused <= {(200, "")}, answers
