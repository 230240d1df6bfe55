"""./dev demo: the main job on a fresh deployment, step by step, each proved and timed.

Exits 0 when every step held. The negative controls --plant leak and --plant audit-byte damage the
deployment on purpose and must make it exit 1 with the name of the place.
"""

import argparse
import contextlib
import datetime
import hashlib
import itertools
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

import api
import audit_journal
import deployment as d
import leak_scan
from children import on_end_signals
from immutable import remove_folder


class StepFailed(Exception):
    pass


def require(condition, what):
    if not condition:
        raise StepFailed(what)


# What the journal must hold of the demo's token: event type, phase, outcome.
EVENTS = [("token.create", "intent", None), ("token.create", "outcome", "done"),
          ("token.lookup", "single", "success"),  # the same card again
          ("processor_token.resolve", "intent", None),
          ("processor_token.resolve", "outcome", "done"),
          ("processor_token.resolve", "single", "success"),  # the processor has the card already
          ("token.delete", "intent", None), ("token.delete", "outcome", "done"),
          ("token.lookup", "single", "failed")]   # it is gone
# And of its payments: event type, outcome. The last sale's answer was lost and then found out.
PAYMENTS = [("payment.authorize", "done"), ("payment.capture", "done"), ("payment.refund", "done"),
            ("payment.sale", "failed"), ("payment.sale", "unknown"), ("payment.sale", "done")]
LOG_SECONDS = 10  # outcomes are not awaited: they ride in the next group
SETTLE_SECONDS = 20
REWRAP_SECONDS = 60
KEK = "pan-encryption"
SECOND_VERIFIER = d.ROOT / "tests/support/tlog.py"
PROOF_PAGE = d.ROOT / "build/web/proof/index.html"
# Stripe's published number that can be stored and is then declined whenever it pays.
DECLINED_WHEN_IT_PAYS = "4000000000000341"


def missing_events(entries, token):
    """Those of EVENTS that `entries` do not tell of `token`."""
    told = [(entry["unmapped"]["event_type"], entry["unmapped"]["phase"],
             entry["unmapped"].get("outcome")) for entry in entries
            if entry["unmapped"].get("gateway_token") == token]
    return [event for event in EVENTS if event not in told]


def missing_payments(entries):
    """Those of PAYMENTS that `entries` do not tell."""
    told = [(entry["unmapped"]["event_type"], entry["unmapped"]["outcome"])
            for entry in entries if entry["unmapped"]["phase"] == "outcome"]
    return [event for event in PAYMENTS if event not in told]


def proof_files(written):
    """Of each pair of files that `audit prove` has written: proof, entry, and what names the pair
    of the operator's record of it to `audit check-proof`.
    """
    for one in written:
        record = one["record"]
        yield (one["proof"], one["entry"],
               ["--record", record["proof"], record["entry"]] if record else [])
        if record:
            yield record["proof"], record["entry"], []


def left_of_card(columns, row):
    """Columns of a tombstone that still hold something which erasure must take."""
    return [name for name, value in zip(columns, row) if value is not None
            and (name in ("wrapped_dek", "fingerprint_odd", "fingerprint_even")
                 or name.endswith("_sealed"))]


class Demo:
    def __init__(self, folder, database, plant):
        self.deployment = d.Deployment(folder)
        self.supervisor = d.Supervisor(self.deployment)
        self.database = database
        self.plant = plant
        self.pan = leak_scan.generate_pan()
        self.card = {"number": self.pan, "exp_month": 12,
                     "exp_year": datetime.date.today().year + 3, "cvc": "737",
                     "name": "Test Holder"}
        self.token = None
        self.other_token = None
        self.client = None
        self.keys = itertools.count()

    def steps(self):
        return [
            ("make a deployment", self.make),
            ("start the processes", self.start),
            ("card in over HTTPS, token out", self.tokenize),
            ("the same card gives the same token", self.tokenize_again),
            ("what the database holds", self.show_row),
            ("the audit log verifies", self.verify_audit),
            ("no file holds the card number", self.search_files),
            ("the token pays: a part is captured, a part of it refunded", self.pay),
            ("a card that its bank declines", self.pay_declined),
            ("an answer that is lost settles to one charge", self.pay_with_lost_answer),
            ("delete the card", self.delete),
            ("the log shows every step", self.read_log),
            ("rotate the key that wraps the cards' keys", self.rotate),
            ("the keys of the other cards move to it", self.rewrap),
            ("destroy the key that wrapped the deleted card's", self.destroy),
            ("the log proves that the card is erased", self.prove_erasure),
            ("stop", self.stop),
            ("still no file holds the card number", self.search_files),
            ("anyone can check it: a proof for the token", self.prove),
        ]

    def make(self):
        self.deployment.create(self.database)
        return (f"CA, certificates, HSM token with 4 keys, {self.database} databases"
                f" in {self.deployment.dir}")

    def start(self):
        self.supervisor.start_all()
        return ", ".join(f"{name} (pid {process.pid})"
                         for name, process in self.supervisor.processes.items())

    def tokenize(self):
        state = self.deployment.state()
        self.client = api.Api(state["gateway_url"], state["ca_cert"], state["api_key"])
        status, token, _ = self.client.call("POST", "/v1/tokens", {"card": self.card})
        require(status == 201, f"POST /v1/tokens answered {status}: {token}")
        require(token["duplicate"] == "new", "a new card was not called new")
        self.token = token["id"]
        shown = token["card"]
        return f"{self.token} for {shown['brand']} {shown['bin']}******{shown['last4']}"

    def tokenize_again(self):
        status, token, _ = self.client.call("POST", "/v1/tokens", {"card": self.card})
        require(status == 200 and token["duplicate"] == "same",
                f"the second POST answered {status}: {token}")
        require(token["id"] == self.token, "the same card got another token")
        return f"{token['id']}, found by a keyed fingerprint made in the HSM"

    def show_row(self):
        columns, row = self.read_row()
        for name, value in zip(columns, row):
            data = bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode()
            require(not leak_scan.scan_bytes(data, self.pan),
                    f"column {name} holds the card number")
        def text(value):
            if isinstance(value, (bytes, memoryview)):
                data = bytes(value).hex()
                return data if len(data) <= 48 else f"{data[:32]}... ({len(data) // 2} bytes)"
            return "null" if value is None else str(value)
        width = max(map(len, columns))
        return "one row, sealed or keyed but for times and counts:\n" + "\n".join(
            f"      {name:<{width}}  {text(value)}" for name, value in zip(columns, row))

    def read_row(self):
        """The columns of the vault's table, and the card's row."""
        url = self.deployment.state()["databases"]["vault"]
        if url.startswith("sqlite:"):
            uri = f"file:{url.removeprefix('sqlite:')}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
                cursor = connection.execute("SELECT * FROM cards")
                rows, columns = cursor.fetchall(), [column[0] for column in cursor.description]
        else:
            import psycopg2
            with contextlib.closing(psycopg2.connect(url)) as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT * FROM cards")
                rows, columns = cursor.fetchall(), [column.name for column in cursor.description]
        digest = hashlib.sha3_512(self.token.encode()).digest()
        ours = [row for row in rows if bytes(row[columns.index("token_hash")]) == digest]
        require(len(ours) == 1, f"{len(ours)} rows for one card")
        return columns, ours[0]

    def verify_audit(self):
        if self.plant == "audit-byte":
            self.flip_audit_byte()
        done = subprocess.run([d.BIN / "strongroom", "audit", "verify", "--dir",
                               self.deployment.dir, "--json"], capture_output=True, text=True)
        require(done.returncode == 0, f"audit verify: {done.stdout.strip()}{done.stderr.strip()}")
        report = json.loads(done.stdout)
        return (f"{report['entries']} entries in {report['logs']} logs; every checkpoint's"
                " signature and Merkle root re-derived")

    def flip_audit_byte(self):
        journal = sorted((self.deployment.dir / "audit").glob("journal-*"))[0]
        data = bytearray(journal.read_bytes())
        place = data.rindex(b"token.create")
        data[place] ^= 1
        journal.write_bytes(data)

    def search_files(self):
        if self.plant == "leak":
            (self.deployment.dir / "log" / "planted.log").write_text(f"card {self.pan}\n")
        findings = leak_scan.scan_folder(self.deployment.dir, self.pan)
        require(not findings, "; ".join(
            f"the card number stands in {path} at byte {offset} ({form})"
            for path, form, offset in findings))
        files = [path for path in self.deployment.dir.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        forms = leak_scan.forms(self.pan)
        return f"{len(files)} files, {size / 1e6:.1f} MB, searched in {len(forms)} forms"

    def post(self, path, body):
        """One request that moves money, under a key of its own."""
        key = {"Idempotency-Key": f"demo-{next(self.keys)}"}
        status, answer, _ = self.client.call("POST", path, body, key)
        require(status in (200, 201), f"POST {path} answered {status}: {answer}")
        return answer

    def pay(self):
        body = {"amount": 1099, "currency": "USD", "token": self.token, "capture": False}
        payment = self.post("/v1/payments", body)
        require(payment["status"] == "authorized", f"the payment is {payment['status']}")
        path = f"/v1/payments/{payment['id']}"
        captured = self.post(f"{path}/capture", {"amount": 900})
        require(captured["status"] == "partially_captured", f"after it: {captured['status']}")
        refund = self.post(f"{path}/refunds", {"amount": 400})
        require(refund["status"] == "succeeded", f"the refund is {refund['status']}")
        _, payment, _ = self.client.call("GET", path)
        charge = self.processor_charges()[0]
        require((charge["amount_captured"], charge["amount_refunded"])
                == (payment["amount_captured"], payment["amount_refunded"]) == (900, 400),
                f"the processor has {charge}")
        return (f"{payment['id']}: 10.99 USD authorized, 9.00 captured, 4.00 refunded; the"
                " processor's books say the same")

    def processor_charges(self):
        """What psp-sim, which plays the processor, has booked, the newest first."""
        status, answer, _ = self.processor().call("GET", "/_sim/charges")
        require(status == 200, f"psp-sim answered {status}")
        return answer["charges"]

    def processor(self):
        state = self.deployment.state()
        return api.Api(state["psp_sim"]["url"], state["ca_cert"])

    def pay_declined(self):
        card = {**self.card, "number": DECLINED_WHEN_IT_PAYS}
        status, token, _ = self.client.call("POST", "/v1/tokens", {"card": card})
        require(status == 201, f"POST /v1/tokens answered {status}: {token}")
        self.other_token = token["id"]
        payment = self.post("/v1/payments", {"amount": 1099, "currency": "USD",
                                             "token": self.other_token})
        require(payment["status"] == "declined", f"the payment is {payment['status']}")
        decline = payment["decline"]
        return f"{payment['id']}: declined, {decline['class']} ({decline['code']})"

    def pay_with_lost_answer(self):
        before = len(self.processor_charges())
        fault = {"path": "/v1/payment_intents", "kind": "reset", "when": "after_effect"}
        status, answer, _ = self.processor().call("POST", "/_sim/faults", fault)
        require(status == 204, f"psp-sim answered {status}: {answer}")
        payment = self.post("/v1/payments", {"amount": 1099, "currency": "USD",
                                             "token": self.token})
        require(payment["status"] == "unknown", f"the payment is {payment['status']}")
        deadline = time.monotonic() + SETTLE_SECONDS
        while payment["status"] == "unknown" and time.monotonic() < deadline:
            time.sleep(0.1)
            _, payment, _ = self.client.call("GET", f"/v1/payments/{payment['id']}")
        require(payment["status"] == "captured", f"the payment is {payment['status']}")
        made = len(self.processor_charges()) - before
        require(made == 1, f"the processor has charged {made} times")
        return f"{payment['id']}: unknown at first, then captured; charged once"

    def rotate(self):
        key = self.deployment.strongroom("keys", "rotate", KEK)
        require((key["version"], key["state"]) == (2, "active"), f"after it: {key}")
        self.open_other_card()
        report = self.deployment.strongroom("keys", "check")
        require(report["ok"], f"keys check: {report['findings']}")
        return (f"{key['label']} is active in the running vaultd, a card from before opens under"
                f" version 1; {report['keys']} versions in registry and HSM agree")

    def open_other_card(self):
        status, body, _ = self.client.call("GET", f"/v1/tokens/{self.other_token}")
        require(status == 200, f"GET of a card from before answered {status}: {body}")

    def rewrap(self):
        deadline = time.monotonic() + REWRAP_SECONDS
        while not (old := self.deployment.strongroom("keys", "show", f"{KEK}/1"))["emptied_at"]:
            require(time.monotonic() < deadline, f"cards are still under {KEK}/1")
            time.sleep(0.2)
        self.open_other_card()
        return f"no card is under {old['label']} any more, and the other card opens under version 2"

    def destroy(self):
        """Once a backup is verified in which nothing is under it, and no copy of it is left."""
        with tempfile.TemporaryDirectory(prefix="strongroom-demo-backup-") as safe:
            secrets = {}
            for part in ("data", "keys"):
                secrets[part] = pathlib.Path(safe) / f"{part}.passphrase"
                secrets[part].touch(mode=0o600)
                secrets[part].write_text(f"a passphrase of the demo for {part}")
            self.deployment.strongroom(
                "backup", "create", "--out", f"{safe}/data", "--passphrase", secrets["data"],
                "--keys-out", f"{safe}/keys", "--keys-passphrase", secrets["keys"])
        for copy in self.deployment.strongroom("keys", "backups", "list"):
            if copy["kind"] == "keys":
                self.deployment.strongroom("keys", "backups", "close", copy["id"], "--destroyed")
        key = self.deployment.strongroom("keys", "destroy", f"{KEK}/1")
        require(key["state"] == "destroyed", f"after it: {key}")
        self.open_other_card()
        return (f"{key['label']} is gone from the HSM, after a verified backup, and no copy of it"
                " is left: no older copy of the database gives the deleted card back; the other"
                " card opens")

    def prove_erasure(self):
        proof = self.deployment.strongroom("erase-proof", self.token)
        require(proof["verdict"] == "erased", f"erase-proof says {proof}")
        shown = [link["step"] for link in proof["chain"]]
        require(shown[-1] == "destroyed" and all(link["entry"] for link in proof["chain"]),
                f"the chain is {proof['chain']}")
        return (f"{', '.join(shown)}: each entry is in a signed tree; {len(proof['outside'])}"
                " things that lie outside of the proof are named with it")

    def delete(self):
        status, body, _ = self.client.call("DELETE", f"/v1/tokens/{self.token}")
        require(status == 204, f"DELETE answered {status}: {body}")
        status, body, _ = self.client.call("GET", f"/v1/tokens/{self.token}")
        require(status == 410, f"GET of a deleted token answered {status}: {body}")
        columns, row = self.read_row()
        left = left_of_card(columns, row)
        require(not left, f"the erased card's row still holds {', '.join(left)}")
        kept = sum(value is not None for value in row)
        return (f"its wrapped key, fingerprint and everything sealed are gone; the tombstone keeps"
                f" {kept} columns")

    def read_log(self):
        deadline = time.monotonic() + LOG_SECONDS
        while missing := self.missing_in_log():
            require(time.monotonic() < deadline, "the log does not tell " + "; ".join(
                " ".join(filter(None, event)) for event in missing))
            time.sleep(0.05)
        return (f"created, found again, paid with, erased, gone: {len(EVENTS)} entries of"
                f" {self.token}, {len(PAYMENTS)} outcomes of payments; {self.verify_audit()}")

    def missing_in_log(self):
        entries = audit_journal.entries(self.deployment.dir / "audit")
        return missing_events(entries, self.token) + missing_payments(entries)

    def stop(self):
        self.supervisor.stop_all()
        codes = {name: process.returncode for name, process in self.supervisor.processes.items()}
        require(all(code == 0 for code in codes.values()), f"exit codes {codes}")
        return "every process ended with 0"

    def prove(self):
        folder = self.deployment.dir / "proofs"
        vkey = self.deployment.dir / "public/audit.vkey"
        written = self.deployment.strongroom("audit", "prove", "--token", self.token,
                                             "--out", folder)
        require(len(written) >= len(EVENTS), f"only {len(written)} entries are proven")
        for proof, entry, record in proof_files(written):
            self.deployment.strongroom("audit", "check-proof", proof, entry, "--vkey", vkey,
                                       *record)
        for proof, entry, _ in proof_files(written[:1]):
            done = subprocess.run([sys.executable, SECOND_VERIFIER, "proof", proof, entry, vkey],
                                  capture_output=True, text=True)
            require(done.returncode == 0, f"the second verifier says {done.stdout.strip()}")
        page = PROOF_PAGE if PROOF_PAGE.exists() else f"{PROOF_PAGE}, once ./dev web has built it"
        return (f"{len(written)} entries, each in the signed tree; the first is also checked by"
                f" {SECOND_VERIFIER.name}, which shares no code with us:\n"
                f"    {written[0]['proof']}\n"
                f"    --keep DIR keeps it, to be looked at in a browser with {page}")

    def run(self):
        begin = time.monotonic()
        for number, (title, step) in enumerate(self.steps(), 1):
            started = time.monotonic()
            try:
                proved = step()
            except Exception as error:  # whatever it is, the step that it broke is the news
                expected = isinstance(error, (StepFailed, d.DeploymentError, OSError))
                what = error if expected else f"{type(error).__name__}: {error}"
                print(f"{number:2}. {title}: FAILED\n    {what}", flush=True)
                return 1
            milliseconds = (time.monotonic() - started) * 1000
            print(f"{number:2}. {title}  [{milliseconds:.0f} ms]\n    {proved}", flush=True)
        print(f"demo passed in {time.monotonic() - begin:.1f} s")
        return 0


def main():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--keep", metavar="DIR", help="make the deployment in DIR and keep it")
    parser.add_argument("--plant", choices=("leak", "audit-byte"),
                        help="damage the deployment on purpose; the demo must fail")
    arguments = parser.parse_args()
    if arguments.keep and pathlib.Path(arguments.keep).is_file():
        parser.error(f"--keep takes a folder, and {arguments.keep} is a file")
    try:
        d.build_programs()
    except d.DeploymentError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    folder = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="strongroom-demo-"))
    if not arguments.keep:
        folder.chmod(0o711)
        folder = folder / "deployment"
    demo = Demo(folder, arguments.db, arguments.plant)
    on_end_signals(lambda number, _: sys.exit(128 + number))
    try:
        return demo.run()
    finally:
        on_end_signals(lambda *_: None)  # it is about to end
        demo.supervisor.stop_all()
        if not arguments.keep:
            remove_folder(folder.parent)


if __name__ == "__main__":
    sys.exit(main())
