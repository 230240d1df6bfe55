"""Stripe's OpenAPI description as a judge: every request and every answer between a client and a
processor, or its stand-in, is held to it.

The description is not part of this repository: tests look for it in ../shared/vectors (or
STRONGROOM_VECTORS) and say so when they skip.
"""
import json
import os
import pathlib
import re
import urllib.parse

import jsonschema

FORM = "application/x-www-form-urlencoded"
VECTORS = pathlib.Path(os.environ.get(
    "STRONGROOM_VECTORS", pathlib.Path(__file__).resolve().parents[2] / "../shared/vectors"))
DOCUMENT = VECTORS / "stripe_openapi_subset.json"
# The description's charge is of an older version, which showed its refunds unasked.
NO_LONGER_REQUIRED = {"charge": {"refunds"}}


class ContractBroken(AssertionError):
    """A request or an answer is not one that the description knows."""


def load():
    """The contract; None where the description is absent."""
    return StripeContract(json.loads(DOCUMENT.read_text())) if DOCUMENT.exists() else None


def unflatten(text):
    """`a[b]=1&c[]=2` as {"a": {"b": "1"}, "c": {"": ["2"]}}: names in brackets are members."""
    tree = {}
    for name, value in urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True):
        root, brackets = re.fullmatch(r"([^\[\]]+)((?:\[[^\[\]]*\])*)", name).groups()
        *path, last = [root, *re.findall(r"\[([^\[\]]*)\]", brackets)]
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        if last == "":
            node.setdefault("", []).append(value)
        elif last in node:
            raise ContractBroken(f"{name} comes twice")
        else:
            node[last] = value
    return tree


class StripeContract:
    def __init__(self, document):
        self._schemas = document["components"]["schemas"]
        self._paths = document["paths"]
        self._newer = document["fixtures_2026"]
        for name, dropped in NO_LONGER_REQUIRED.items():
            required = self._schemas[name]["required"]
            self._schemas[name]["required"] = [key for key in required if key not in dropped]
        self._root = _as_json_schema({"components": {"schemas": self._schemas}})

    # --- what the description says of one call ------------------------------------------------

    def operation(self, method, path):
        """Literal paths come before templates: `search` is no id."""
        for template in sorted(self._paths, key=lambda template: template.count("{")):
            if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path):
                operation = self._paths[template].get(method.lower())
                if operation:
                    return operation
        raise ContractBroken(f"{method} {path}: no such method")

    def _alternatives(self, schema):
        if "$ref" in schema:
            return self._alternatives(self._schemas[schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return [found for one in schema["anyOf"] for found in self._alternatives(one)]
        return [schema]

    def _error(self, value, schema):
        """What is wrong with `value`, if anything."""
        full = {**self._root, **_as_json_schema(schema)}
        error = next(jsonschema.Draft4Validator(full).iter_errors(value), None)
        return error and f"{'/'.join(map(str, error.absolute_path))}: {error.message}"

    # --- requests ----------------------------------------------------------------------------

    def check_request(self, method, target, body=""):
        """Holds the query or the form to the description; returns it with its types."""
        path, _, query = target.partition("?")
        operation = self.operation(method, path)
        if method == "POST":
            schema = operation["requestBody"]["content"][FORM]["schema"]
            return self._check_form(f"{method} {path}", unflatten(body) if body else {}, schema)
        rows = [row for row in operation.get("parameters", []) if row["in"] == "query"]
        schema = {"type": "object", "additionalProperties": False,
                  "properties": {row["name"]: row["schema"] for row in rows},
                  "required": [row["name"] for row in rows if row.get("required")]}
        if not schema["required"]:
            del schema["required"]  # draft 4 knows no empty list
        return self._check_form(f"{method} {path}", unflatten(query) if query else {}, schema)

    def _check_form(self, what, tree, schema):
        typed = self._typed(tree, schema)
        if error := self._error(typed, schema):
            raise ContractBroken(f"{what}: {error}")
        self._check_known(what, typed, self._alternatives(schema), {})
        return typed

    def _typed(self, value, schema):
        """Text as the type that the schema names; what fits none stays text and fails later."""
        candidates = [self._typed_as(value, one) for one in self._alternatives(schema)]
        for candidate in candidates:
            if self._error(candidate, schema) is None:
                return candidate
        return candidates[0]

    def _typed_as(self, value, schema):
        if isinstance(value, str):
            return _typed_text(value, schema.get("type"))
        if schema.get("type") == "array":
            items = value.get("", []) + [value[key] for key in sorted(value) if key.isdigit()]
            return [self._typed(item, schema["items"]) for item in items]
        more = schema.get("additionalProperties")
        more = more if isinstance(more, dict) else {}
        return {key: self._typed(member, schema.get("properties", {}).get(key, more))
                for key, member in value.items()}

    # --- answers -----------------------------------------------------------------------------

    def check_answer(self, method, target, status, body):
        path = target.partition("?")[0]
        responses = self.operation(method, path)["responses"]
        response = responses.get(str(status), responses["default"])
        what = f"{method} {path} -> {status}"
        if response is responses["default"] and status < 400:
            raise ContractBroken(f"{what}: no such status")
        schema = response["content"]["application/json"]["schema"]
        if error := self._error(body, schema):
            raise ContractBroken(f"{what}: {error}")
        self._check_known(what, body, self._alternatives(schema), {})

    def _check_known(self, what, value, schemas, example):
        """No member that neither the schemas nor the newer `example` of the object know."""
        if isinstance(value, list):
            items = [found for one in schemas for found in self._alternatives(one.get("items", {}))]
            for member in value:
                self._check_known(what, member, items, example)
            return
        if not isinstance(value, dict) or value.get("deleted"):  # what is gone is described nowhere
            return
        example = self._newer.get(value.get("object"), example)
        silent = not example and not any("properties" in one for one in schemas)
        if silent or any(one.get("additionalProperties") for one in schemas):
            return
        for key, member in value.items():
            found = [deeper for one in schemas if key in one.get("properties", {})
                     for deeper in self._alternatives(one["properties"][key])]
            if not found and key not in example:
                raise ContractBroken(f"{what}: unknown member {key}")
            inner = example.get(key)
            self._check_known(f"{what}, {key}", member, found,
                              inner if isinstance(inner, dict) else {})


def _typed_text(value, kind):
    if kind == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _as_json_schema(schema):
    """OpenAPI 3.0's `nullable` in JSON Schema's own words."""
    if isinstance(schema, list):
        return [_as_json_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {key: _as_json_schema(value) for key, value in schema.items()
                 if key not in ("nullable", "description", "format")
                 or isinstance(value, dict)}
    if schema.get("nullable") is True:
        return {"anyOf": [converted, {"type": "null"}]}
    return converted
