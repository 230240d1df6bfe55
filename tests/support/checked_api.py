"""A client that holds every answer to the OpenAPI documents in api/: an answer whose status, header
or body the document does not name is a failed test, whatever the test itself looks at.
"""
import datetime
import json
import pathlib
import re
from dataclasses import dataclass

import jsonschema
import yaml

import api

DOCUMENTS = pathlib.Path(__file__).resolve().parents[2] / "api"
REQUEST_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PROBLEM = "urn:strongroom:problem:"


class ContractBroken(AssertionError):
    """An answer is not one that the document promises."""


def require(condition, what):
    if not condition:
        raise ContractBroken(what)


_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_rfc3339(value):
    return not isinstance(value, str) or (
        "T" in value and datetime.datetime.fromisoformat(value).tzinfo is not None)


@dataclass(frozen=True)
class Answer:
    status: int
    body: object
    headers: dict

    @property
    def problem(self):
        """The problem's slug, "" where there is none."""
        is_problem = self.headers.get("content-type") == "application/problem+json"
        return self.body["type"].removeprefix(PROBLEM) if is_problem else ""

    @property
    def pointer(self):
        return self.body["errors"][0]["pointer"]


class Contract:
    """One OpenAPI document. `public` is the gateway's, `vault` the services'."""

    def __init__(self, name):
        self._path = DOCUMENTS / f"{name}.yaml"
        self._document = yaml.safe_load(self._path.read_text())
        self._store = {path.as_uri(): yaml.safe_load(path.read_text())
                       for path in DOCUMENTS.glob("*.yaml")}

    def _resolver(self, uri):
        return jsonschema.RefResolver(uri, self._store[uri], store=self._store)

    def _path_item(self, path):
        for template, item in self._document["paths"].items():
            if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path):
                return item
        return None

    def operation(self, method, target):
        """What the document says of this method on this path; None where it has none."""
        item = self._path_item(target.partition("?")[0])
        return item.get(method.lower()) if item else None

    def _responses(self, method, target):
        """The answers to expect, by status; what no route serves has those of any path."""
        operation = self.operation(method, target)
        if operation:
            return operation["responses"]
        absent = "404" if self._path_item(target.partition("?")[0]) is None else "405"
        return {absent: {"$ref": "components.yaml#/responses/Problem"}}

    def _dereferenced(self, value):
        """(the document that holds it, the value itself)"""
        uri = self._path.as_uri()
        if "$ref" not in value:
            return uri, value
        full, found = self._resolver(uri).resolve(value["$ref"])
        return full.partition("#")[0], found

    def _validate(self, value, schema, uri, what):
        validator = jsonschema.Draft202012Validator(schema, resolver=self._resolver(uri),
                                                    format_checker=_formats)
        error = next(validator.iter_errors(value), None)
        require(error is None, f"{what}: {error.message if error else ''}")

    def check(self, method, target, answer, sent=None):
        """Holds `answer` to the document, and what was accepted, `sent`, to its schema."""
        what = f"{method} {target.partition('?')[0]} -> {answer.status}"
        responses = self._responses(method, target)
        require(str(answer.status) in responses, f"{what}: not in {self._path.name}")
        uri, response = self._dereferenced(responses[str(answer.status)])
        self._check_headers(answer, response, uri, what)
        self._check_body(answer, response, uri, what)
        if answer.status < 300 and sent is not None:
            self._check_accepted(method, target, sent, what)

    def _check_headers(self, answer, response, uri, what):
        request_id = answer.headers.get("strongroom-request-id", "")
        require(REQUEST_ID.fullmatch(request_id), f"{what}: no request id")
        require(answer.headers.get("cache-control") == "no-store", f"{what}: may be cached")
        for name, header in response.get("headers", {}).items():
            value = answer.headers.get(name.lower())
            if value is None:
                continue
            if header["schema"].get("type") == "integer":
                value = int(value)
            self._validate(value, header["schema"], uri, f"{what}, {name}")

    def _check_body(self, answer, response, uri, what):
        content = response.get("content")
        if content is None:
            require(answer.body == b"", f"{what}: a body where none belongs")
            return
        media = answer.headers.get("content-type")
        require(media in content, f"{what}: content type {media}")
        if not media.endswith("json"):
            return
        self._validate(answer.body, content[media]["schema"], uri, what)
        if media == "application/problem+json":
            require(answer.body["status"] == answer.status, f"{what}: another status in the body")
            require(answer.body["request_id"] == answer.headers["strongroom-request-id"],
                    f"{what}: another request id in the body")

    def _check_accepted(self, method, target, sent, what):
        operation = self.operation(method, target)
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            self._validate(sent, schema, self._path.as_uri(), f"{what} accepted")


class CheckedApi:
    """tools/api.py under a contract."""

    def __init__(self, contract, *arguments, headers=None, **options):
        self._contract = Contract(contract)
        self._api = api.Api(*arguments, **options)
        self._headers = headers or {}

    def call(self, method, target, body=None, headers=None):
        sent_fields = {**self._headers, **(headers or {})}
        if body is not None:
            sent_fields.setdefault("Content-Type", "application/json")
        status, received, fields = self._api.call(method, target, body, sent_fields)
        answer = Answer(status, received, fields)
        sent = json.loads(body) if isinstance(body, (str, bytes)) and status < 300 else body
        self._contract.check(method, target, answer, sent)
        return answer

    def get(self, target, headers=None):
        return self.call("GET", target, None, headers)

    def post(self, target, body=None, headers=None):
        return self.call("POST", target, body, headers)

    def delete(self, target, headers=None):
        return self.call("DELETE", target, None, headers)

    def close(self):
        self._api.close()
