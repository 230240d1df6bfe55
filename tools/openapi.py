"""openapi.py DOCUMENT: prints DOCUMENT (api/public.yaml) as one JSON text, with all that it refers
to in other files among its own components, as clients' tools want it: what GET /openapi.json
answers.
"""
import json
import pathlib
import sys

import yaml


class Bundle:
    def __init__(self, path):
        self._path = path
        self._others = {}
        self.components = {}

    def _load(self, name):
        if name not in self._others:
            self._others[name] = yaml.safe_load((self._path.parent / name).read_text())
        return self._others[name]

    def taken(self, value, name):
        """`value`, which stands in file `name`, with every reference into `components`."""
        if isinstance(value, list):
            return [self.taken(one, name) for one in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return {"$ref": self._take(value["$ref"], name)}
        return {key: self.taken(one, name) for key, one in value.items()}

    def _take(self, reference, name):
        file, _, pointer = reference.partition("#/")
        file = file or name
        if file == self._path.name:
            return reference
        kind, what = pointer.split("/")
        known = self.components.setdefault(kind, {})
        if what not in known:
            known[what] = None  # whoever refers to it meanwhile finds it known
            known[what] = self.taken(self._load(file)[kind][what], file)
        return f"#/components/{kind}/{what}"


def bundled(path):
    bundle = Bundle(path)
    document = bundle.taken(yaml.safe_load(path.read_text()), path.name)
    for kind, known in bundle.components.items():
        document.setdefault("components", {}).setdefault(kind, {}).update(sorted(known.items()))
    document["servers"] = [{"url": "/"}]  # whoever gives the document
    return json.dumps(document, separators=(",", ":"))


if __name__ == "__main__":
    print(bundled(pathlib.Path(sys.argv[1])), end="")
