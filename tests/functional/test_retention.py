"""How long a merchant's cards may be kept, as the operator sets it in strongroom.toml."""
import datetime
import signal
import subprocess

import pytest

import leak_scan
from running_deployment import running, wait_until

DAYS = 30


@pytest.fixture(params=["sqlite", "postgres"])
def own_deployment(request):
    with running(request.param) as deployment:
        yield deployment


def sent(**more):
    year = datetime.date.today().year + 1
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12, "exp_year": year}, **more}


def set_days(deployment, table):
    lines = deployment.config.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("card_days_max")]
    kept.insert(kept.index("[vaultd]\n") + 1, f"card_days_max = {table}\n")
    deployment.config.write_text("".join(kept))


def ends_in_time(token):
    created, ends = (datetime.datetime.fromisoformat(token[name])
                     for name in ("created_at", "expires_at"))
    return abs(ends - created - datetime.timedelta(days=DAYS)) < datetime.timedelta(seconds=1)


def test_cards_that_are_there_and_new_ones_end_in_time(own_deployment):
    deployment = own_deployment
    merchant, other = deployment.new_merchant(), deployment.new_merchant()
    client, others = (deployment.gateway(one.api_key) for one in (merchant, other))
    year = datetime.date.today().year + 2
    tokens = [client.post("/v1/tokens", body).body["id"]
              for body in (sent(), sent(expires_at=f"{year}-01-01T00:00:00Z"))]
    untouched = others.post("/v1/tokens", sent()).body["id"]

    set_days(deployment, f"{{ {merchant.id} = {DAYS} }}")
    assert deployment.stop_one("vaultd") == 0
    deployment.start_one("vaultd")
    for token in tokens:
        wait_until(lambda token=token: client.get(f"/v1/tokens/{token}").body["expires_at"]
                   and ends_in_time(client.get(f"/v1/tokens/{token}").body), "its end is set")
    assert ends_in_time(client.post("/v1/tokens", sent()).body)
    assert others.get(f"/v1/tokens/{untouched}").body["expires_at"] is None

    set_days(deployment, f"{{ {merchant.id} = {DAYS}, {other.id} = {DAYS} }}")
    deployment.processes["vaultd"].send_signal(signal.SIGHUP)
    wait_until(lambda: others.get(f"/v1/tokens/{untouched}").body["expires_at"], "reloaded")
    assert ends_in_time(others.get(f"/v1/tokens/{untouched}").body)
    assert ends_in_time(others.post("/v1/tokens", sent()).body)

    told = wait_until(lambda: [
        (entry["unmapped"]["phase"], entry["unmapped"].get("count")) for entry
        in deployment.audit_entries(event_type="token.update")
        if entry["api"]["operation"] == "retention"][:2], "it is in the log")
    assert told == [("intent", 2), ("outcome", 2)]
    deployment.strongroom("audit", "verify")


@pytest.mark.parametrize("table, reason", [("{ shop = 30 }", "is no merchant's id"),
                                           ("{ others = 0 }", "others")])
def test_a_table_that_says_nothing_sensible_is_refused(table, reason):
    with running("sqlite") as deployment:
        assert deployment.stop_one("vaultd") == 0
        set_days(deployment, table)
        started = subprocess.run([str(part) for part in deployment.command("vaultd")],
                                 capture_output=True, text=True, timeout=20)
    assert started.returncode == 2
    assert "card_days_max" in started.stderr and reason in started.stderr
