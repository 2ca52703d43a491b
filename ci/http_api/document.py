"""/openapi.json as ci/http-api reads it: its operations, their inputs, what a reply may look like."""
import json
import sys

try:
    import jsonschema
except ImportError:
    print("http-api: python3-jsonschema is not installed", file=sys.stderr)
    sys.exit(3)

METHODS = ("get", "post", "delete")


class Operation:
    """One operation of the document, and how its unit's input travels."""

    def __init__(self, document, path, method):
        self.document, self.path, self.method = document, path, method
        self.told = document["paths"][path][method]
        self.unit = self.told.get("x-unit")
        self.title = f"{method.upper()} {path}"
        self.parameters = [resolve(document, p) for p in self.told["parameters"]]
        body = self.told.get("requestBody")
        self.schema = body and resolve(document, body["content"]["application/json"]["schema"])
        self.enveloped = path.startswith("/api/v2/")

    def fields(self):
        """name → (schema, required) of what travels in the query or the body; no aliases."""
        if self.schema:
            needed = set(self.schema.get("required", []))
            for either in self.schema.get("allOf", []):
                needed.add(either["anyOf"][0]["required"][0])
            return {name: (schema, name in needed)
                    for name, schema in self.schema["properties"].items()
                    if not schema.get("description", "").startswith("the same as ")
                    and not (name == "id" and "{" in self.path)}
        found = {}
        for parameter in self.parameters:
            if parameter["in"] == "query":
                told = parameter.get("content", {}).get("application/json", parameter)
                found[parameter["name"]] = told["schema"], parameter["required"]
        return found

    def ask(self, daemon, given, **changes):
        given, path = {**given, **changes}, self.path
        for parameter in self.parameters:
            if parameter["in"] == "path":
                path = path.replace("{%s}" % parameter["name"], given.pop("id"))
        if self.schema:
            return daemon.ask("POST", path, body=given)
        query = {name: json.dumps(value) if isinstance(value, (dict, bool)) else value
                 for name, value in given.items()}
        return daemon.ask(self.method.upper(), path, query=query)

    def fault(self, reply):
        """What a reply has that its schema does not tell, or nothing."""
        status, headers, body = reply
        told = self.told["responses"].get(str(status))
        if told is None:
            return f"{status} is not in the document: {body}"
        told = resolve(self.document, told)
        media = headers["Content-Type"].partition(";")[0]
        if media not in [name.partition(";")[0] for name in told["content"]]:
            return f"the media type {media} is not in the document"
        if media != "application/json":
            return None
        schema = {**json_schema(self.document), **told["content"]["application/json"]["schema"]}
        error = jsonschema.exceptions.best_match(
            jsonschema.Draft4Validator(schema).iter_errors(body))
        return error and f"{status}: {error.message[:300]} at {list(error.path)}"


def resolve(document, value):
    while "$ref" in value:
        found = document
        for key in value["$ref"].lstrip("#/").split("/"):
            found = found[key]
        value = found
    return value


def json_schema(document):
    """The document's components as JSON schema, where "nullable" is one more type."""
    def plain(value):
        if isinstance(value, list):
            return [plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        value = {key: plain(item) for key, item in value.items()}
        if value.pop("nullable", False) is True and "type" in value:
            value["type"] = [value["type"], "null"]
        return value
    return {"components": {"schemas": plain(document["components"]["schemas"])}}


def operations(document):
    return [Operation(document, path, method) for path, item in document["paths"].items()
            for method in METHODS if method in item]
