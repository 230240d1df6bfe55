"""What a test sees and does of vaultd's keys past vaultd: registry rows, keys' files, DEKs."""
import contextlib
import sqlite3
import subprocess

import psycopg2

from deployment import BIN
from running_deployment import wait_until

KEK = "pan-encryption"
NAMES = ("blind-index", "key-registry", "pan-encryption", "pan-fingerprint")


def tool(deployment, *arguments):
    """`strongroom keys ...` as a person has it: its exit status and words."""
    return subprocess.run([BIN / "strongroom", "keys", *arguments, "--dir", deployment.dir],
                          capture_output=True, text=True, timeout=200)


def listed(deployment):
    """{"pan-encryption/1": what the list says of it}"""
    keys = deployment.strongroom("keys", "list")["data"]
    return {f"{key['name']}/{key['version']}": key for key in keys}


def states(deployment, name=KEK):
    return {key["version"]: key["state"] for key in listed(deployment).values()
            if key["name"] == name}


def active(deployment):
    return next(version for version, state in states(deployment).items() if state == "active")


def change(deployment, *statements):
    """Runs these on the vault's database, as a hand that has the database but not the HSM."""
    url = deployment.state()["databases"]["vault"]
    if url.startswith("sqlite:"):
        connection = sqlite3.connect(url.removeprefix("sqlite:"), timeout=20)
    else:
        connection = psycopg2.connect(url)
    with contextlib.closing(connection):
        for statement in statements:
            connection.cursor().execute(statement)
        connection.commit()


def token_files(deployment):
    """The files in which SoftHSM keeps its objects."""
    return set((deployment.dir / "hsm/tokens").rglob("*.object")) - set(
        (deployment.dir / "hsm/tokens").rglob("token.object"))


def dek_versions(deployment):
    """How many cards have their DEK under which version of the KEK."""
    counts = {}
    for (wrapped,) in deployment.vault_rows(
            "SELECT wrapped_dek FROM cards WHERE wrapped_dek IS NOT NULL"):
        version = int.from_bytes(wrapped[1:5], "big")
        counts[version] = counts.get(version, 0) + 1
    return counts


def told_of_keys(deployment, event_type):
    """(phase, outcome, resources, who) of the log's entries of this type, oldest first."""
    return [(entry["unmapped"]["phase"], entry["unmapped"].get("outcome"),
             [one["uid"] for one in entry["resources"]], entry["actor"]["user"].get("uid"))
            for entry in deployment.audit_entries(event_type=event_type)]


def wait_closed(*deployments):
    """No intent is open in any of their logs, which verify."""
    for deployment in deployments:
        wait_until(lambda deployment=deployment:
                   deployment.strongroom("audit", "verify")["open_intent_count"] == 0,
                   "no intent is open")
