"""A small HTTPS client of the public API, for the demo and the tests. Standard library only."""

import contextlib
import http.client
import json
import ssl
import urllib.parse


class Api:
    """One kept connection with one credential."""

    def __init__(self, url, ca_cert, api_key=None, client_cert=None, client_key=None, timeout=20):
        parts = urllib.parse.urlsplit(url)
        context = ssl.create_default_context(cafile=ca_cert)
        if client_cert:
            context.load_cert_chain(client_cert, client_key)
        self._connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context,
                                                       timeout=timeout)
        self._key = api_key

    def call(self, method, path, body=None, headers=None):
        """(status, decoded body, headers). A dict goes as JSON, text and bytes as they are."""
        self.send(method, path, body, headers)
        return self.receive()

    def send(self, method, path, body=None, headers=None):
        """The first half of call()."""
        sent = dict(headers or {})
        if self._key:
            sent.setdefault("Authorization", f"Bearer {self._key}")
        if isinstance(body, dict):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        with self._closed_on_failure():
            self._connection.request(method, path, body, sent)

    def receive(self):
        """The second half of call()."""
        with self._closed_on_failure():
            answer = self._connection.getresponse()
            text = answer.read()
        received = {name.lower(): value for name, value in answer.getheaders()}
        is_json = "json" in received.get("content-type", "")
        return answer.status, json.loads(text) if is_json and text else text, received

    @contextlib.contextmanager
    def _closed_on_failure(self):
        """The next call connects anew: what a broken connection still brings belongs to nobody."""
        try:
            yield
        except (http.client.HTTPException, OSError):
            self._connection.close()
            raise

    def close(self):
        self._connection.close()
