"""Every key, certificate and schema that `init` made before any log ran has its entry, once (PCI
DSS 10.2.1.7)."""
import contextlib
import json
import os
import sqlite3
import subprocess
import sys

from test_audit import assert_has_six_fields

DATABASES = {"vault": "vaultd", "auth": "authd", "core": "gatewayd"}
MADE_BY = {"tls": "strongroom init", "secrets": "strongroom init",
           "auditd": "auditd --init", "authd": "authd --init",
           "connectord-stripe": "connectord --init"}


def keys_in_the_folder(deployment):
    """The files of keys, certificates and secrets, and what made each."""
    paths = [*deployment.dir.glob("tls/**/*.crt"), *deployment.dir.glob("tls/**/*.key"),
             *deployment.dir.glob("secrets/*"), *deployment.dir.glob("data/*/*.sealed")]
    names = [path.relative_to(deployment.dir) for path in paths if path != deployment.access_file]
    return {str(name): MADE_BY[name.parts[1] if name.parts[0] == "data" else name.parts[0]]
            for name in names}


def keys_in_the_hsm(deployment):
    return {f"strongroom/{name}/{version}": "vaultd --init" for name, version in
            deployment.vault_rows("SELECT name, version FROM keys")}


def schemas_in_the_databases(deployment):
    """(database, version) and what made it."""
    versions = "SELECT version FROM schema_version"
    made = {(f"database {database}", f"schema {version}"): f"{daemon} --init"
            for database, daemon in DATABASES.items()
            for version, in deployment.rows(database, versions)}
    index = f"file:{deployment.dir / 'data/audit-relay/index.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(index, uri=True)) as connection:
        for version, in connection.execute(versions):
            made["database audit-index", f"schema {version}"] = "audit-relay"
    return made


def told(deployment, event):
    return deployment.audit_entries(event_type=event)


def resources(entry):
    return tuple(resource["uid"] for resource in entry["resources"])


def test_every_key_and_certificate_has_one_entry(each_deployment):
    keys = keys_in_the_folder(each_deployment) | keys_in_the_hsm(each_deployment)
    assert {"secrets/ca.key", "tls/edged/public.crt", "strongroom/pan-encryption/1"} < keys.keys()
    entries = told(each_deployment, "key.generate")
    named = [(name, entry["api"]["operation"]) for entry in entries for name in resources(entry)]
    assert sorted(named) == sorted(keys.items())
    for entry in entries:
        assert_has_six_fields(entry)
        assert entry["actor"]["user"]["uid"] == f"uid:{os.getuid()}"
        assert entry["unmapped"]["outcome"] == "success"


def test_every_version_of_every_schema_has_one_entry(each_deployment):
    entries = told(each_deployment, "schema.migrate")
    assert sorted((resources(entry), entry["api"]["operation"]) for entry in entries) == sorted(
        schemas_in_the_databases(each_deployment).items())
    for entry in entries:
        assert_has_six_fields(entry)


def test_a_daemon_tells_what_was_made_before_it_tells_that_it_starts(each_deployment):
    seen = set()
    for entry in each_deployment.audit_entries():
        event, writer = entry["unmapped"]["event_type"], entry["actor"]["app_uid"]
        if event in ("service.start", "token.create"):
            seen.add(writer)
        assert event not in ("key.generate", "schema.migrate") or writer not in seen
    assert list(each_deployment.dir.glob("data/*/unrecorded"))
    for path in each_deployment.dir.glob("data/*/unrecorded"):
        assert path.read_bytes() == b"", "what is in the log is not told again"


def test_what_a_killed_start_has_told_already_is_not_told_twice(deployment):
    for daemon in ("connectord-stripe", "auditd"):
        before = [entry for entry in told(deployment, "key.generate")
                  if entry["actor"]["app_uid"] == daemon]
        assert before
        note = deployment.dir / "data" / daemon / "unrecorded"
        assert deployment.stop_one(daemon) == 0
        note.write_text("".join(json.dumps(entry, separators=(",", ":")) + "\n"
                                for entry in before))  # killed before the file was emptied
        deployment.start_one(daemon)
        assert note.read_bytes() == b""
        assert [entry for entry in told(deployment, "key.generate")
                if entry["actor"]["app_uid"] == daemon] == before


def test_a_damaged_note_is_named_and_ends_the_start(deployment):
    note = deployment.dir / "data/connectord-stripe/unrecorded"
    deployment.stop_one("connectord-stripe")
    note.write_text("{}\n")
    try:
        process = deployment.start("connectord-stripe")
        assert process.wait(10) == 2
        log = deployment.dir / "log/connectord-stripe.log"
        assert f"{note}: not an audit entry" in log.read_text()
    finally:
        note.write_text("")
        deployment.start_one("connectord-stripe")


# Prints what C_GetMechanismList (PKCS #11 v2.40 section 5.5) says of the first slot.
MECHANISMS = """
import ctypes, sys
module = ctypes.CDLL(sys.argv[1])
ulong, count = ctypes.c_ulong, ctypes.c_ulong()
assert module.C_Initialize(None) == 0
assert module.C_GetSlotList(ctypes.c_ubyte(1), None, ctypes.byref(count)) == 0
slots = (ulong * count.value)()
assert module.C_GetSlotList(ctypes.c_ubyte(1), slots, ctypes.byref(count)) == 0
assert module.C_GetMechanismList(ulong(slots[0]), None, ctypes.byref(count)) == 0
mechanisms = (ulong * count.value)()
assert module.C_GetMechanismList(ulong(slots[0]), mechanisms, ctypes.byref(count)) == 0
print(*sorted(hex(one) for one in mechanisms))
"""


def test_softhsm_gives_no_mechanism_but_those_in_use(deployment):
    hsm = deployment.settings()["hsm"]
    conf = str(deployment.dir / hsm["softhsm_conf"])
    done = subprocess.run([sys.executable, "-c", MECHANISMS, hsm["module"]], text=True, check=True,
                          capture_output=True, env={**os.environ, "SOFTHSM2_CONF": conf})
    in_use = {"AES_KEY_GEN": 0x1080, "GENERIC_SECRET_KEY_GEN": 0x350, "AES_GCM": 0x1087,
              "AES_ECB": 0x1081, "SHA256_HMAC": 0x251}
    assert set(done.stdout.split()) == set(map(hex, in_use.values()))
