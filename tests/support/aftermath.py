"""What clients were told, what the database holds and what the log says, when all is quiet."""
import collections

import audit_journal
import vault_rows
from card_load import card_body
from running_deployment import wait_until

CLOSE_SECONDS = 30  # vaultd settles an operation of unknown end after ten


class Aftermath:
    """Of a CardLoad on a deployment that lost a part of itself meanwhile and is whole again.
    `beside`: deployments whose vaultd works on its database too, each with a log of its own.
    """

    def __init__(self, deployment, load, beside=()):
        self.deployment = deployment
        self.load = load
        self._logs = [deployment, *beside]
        wait_until(self._all_closed, "no open intent", CLOSE_SECONDS)
        self.rows = vault_rows.read(deployment)
        self.entries = [entry for one in self._logs
                        for entry in audit_journal.entries(one.dir / "audit")]

    def verify(self):
        """Reads the whole logs again; a log that does not verify fails the test."""
        return [one.strongroom("audit", "verify") for one in self._logs]

    def _all_closed(self):
        return all(report["open_intent_count"] == 0 for report in self.verify())

    def intents(self, event_type):
        return [entry["unmapped"] for entry in self.entries
                if entry["unmapped"]["event_type"] == event_type
                and entry["unmapped"]["phase"] == "intent"]

    def outcomes(self):
        """Outcomes by operation."""
        found = collections.defaultdict(list)
        for entry in self.entries:
            if entry["unmapped"]["phase"] == "outcome":
                found[entry["unmapped"]["operation_id"]].append(entry["unmapped"]["outcome"])
        return found

    def created(self):
        """Token hashes of the creations that the log calls done; each intent must have its one,
        true outcome.
        """
        outcomes, created = self.outcomes(), set()
        for intent in self.intents("token.create"):
            digest = vault_rows.token_hash(intent["gateway_token"])
            expected = "done" if digest in self.rows else "not_done"
            assert outcomes[intent["operation_id"]] == [expected]
            if expected == "done":
                created.add(digest)
        return created

    # --- what must hold -------------------------------------------------------------------------

    def assert_one_token_per_card(self):
        assert [card.tokens for card in self.load.cards if len(card.tokens) > 1] == []
        assert [card.tokens for card in self.load.cards if card.created > 1] == []

    def assert_promised_tokens_are_read(self):
        client = self.deployment.gateway()
        for card in self.load.promised_cards:
            found = client.get(f"/v1/tokens/{min(card.tokens)}")
            if card.delete_acknowledged:
                assert found.status == 410
            elif not card.delete_sent:
                assert found.status == 200, found
                shown = found.body["card"]
                assert (shown["bin"], shown["last4"]) == (card.pan[:6], card.pan[-4:])
            else:
                assert found.status in (200, 410)

    def assert_lost_cards_are_added_once(self):
        """The client asks again, and gets the token that was made, if one was."""
        client = self.deployment.gateway()
        for card in self.load.cards:
            if not card.tokens:
                made = client.post("/v1/tokens", card_body(card.pan))
                assert made.status in (200, 201), made
                there = vault_rows.token_hash(made.body["id"]) in self.rows
                assert there == (made.body["duplicate"] == "same")

    def assert_rows_have_their_intents(self):
        assert self.created() == set(self.rows)

    def assert_deletions_are_whole(self):
        outcomes = self.outcomes()
        deleted = {vault_rows.token_hash(intent["gateway_token"])
                   for intent in self.intents("token.delete")
                   if outcomes[intent["operation_id"]] == ["done"]}
        assert deleted == {digest for digest, row in self.rows.items() if row.deleted}
        assert all(row.has_key != row.deleted for row in self.rows.values())

    def assert_promises_are_logged(self):
        logged = {entry["unmapped"].get("request_id") for entry in self.entries}
        assert [told for told in self.load.request_ids if told not in logged] == []

    def assert_log_verifies(self):
        reports = self.verify()
        assert all(report["ok"] and report["bad"] is None for report in reports)
        entries = sum(report["entries"] for report in reports)
        assert entries >= len(self.entries) > len(self.load.request_ids)

    def assert_all(self):
        """Every promise was kept, and the log is whole and true."""
        self.assert_one_token_per_card()
        self.assert_rows_have_their_intents()
        self.assert_deletions_are_whole()
        self.assert_promises_are_logged()
        self.assert_log_verifies()
        self.assert_promised_tokens_are_read()
        self.assert_lost_cards_are_added_once()
