"""Each log has a shard per year: the year ends while the daemons run. This file is the test and,
started with libfaketime, what it runs: daemons, tool and clients whose clock is about to pass new
year, certificates and all.
"""
import datetime
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import pytest

import leak_scan
import tlog
from running_deployment import running, wait_until

LIBRARY = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
UTC = datetime.timezone.utc
SECONDS_BEFORE = 25  # enough to start and to add a card in the old year
SIGNED_SECONDS = 60
PLAY_SECONDS = 180


def new_year_after(year):
    return datetime.datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()


def shards(deployment, merchant, years):
    """{year: size} of what is signed of a merchant's logs."""
    return {year: size for year in years
            if (size := deployment.signed_size(f"{merchant}-{year}"))}


def play(deployment, old):
    years, new_year = (old, old + 1), new_year_after(old)
    merchant = deployment.new_merchant()
    client = deployment.gateway(merchant.api_key)

    def add_card():
        made = client.post("/v1/tokens", {"card": {
            "number": leak_scan.generate_pan(), "exp_month": 12, "exp_year": old + 2}})
        assert made.status == 201, made
        return made.body["id"]

    before = add_card()
    assert time.time() < new_year, "it took too long to start"
    wait_until(lambda: add_card() and time.time() > new_year + 1, "new year", SECONDS_BEFORE + 10)
    after = add_card()
    for token in (before, after):  # both are there in the new year
        assert client.get(f"/v1/tokens/{token}").status == 200
    entries = wait_until(lambda: sum(shards(deployment, merchant.id, years).values()) ==
                         len(found := deployment.audit_entries(merchant_id=merchant.id)) and found,
                         "all is signed", SIGNED_SECONDS)
    written = {year: [entry["unmapped"].get("gateway_token") for entry in entries
                      if entry["unmapped"]["timestamp"].startswith(f"{year}-")] for year in years}
    assert before in written[old] and after in written[old + 1] and after not in written[old]
    assert shards(deployment, merchant.id, years) == {
        year: len(tokens) for year, tokens in written.items()}

    report = deployment.strongroom("audit", "verify")
    assert report["ok"] and report["bad"] is None
    with tempfile.TemporaryDirectory() as parent:
        out = pathlib.Path(parent) / "export"
        deployment.strongroom("audit", "export", "--all", "--out", out)
        key = tlog.read_key(deployment.dir / "public/audit.vkey")
        verified = {checkpoint.origin for checkpoint, _ in tlog.verify_export(out, key)}
    for owner in ("operator", merchant.id):
        assert {f"strongroom.local/auditd/{owner}/{year}" for year in years} <= verified, verified


def test_a_year_ends_while_the_log_is_written():
    if LIBRARY is None:
        pytest.skip("libfaketime is not installed")
    now = datetime.datetime.now(UTC)
    ahead = new_year_after(now.year) - now.timestamp() - SECONDS_BEFORE
    clock = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": f"{ahead:+.0f}",
             "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, __file__, str(now.year)], env={**os.environ, **clock},
                          capture_output=True, text=True, timeout=PLAY_SECONDS)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    with running() as made:
        play(made, int(sys.argv[1]))
