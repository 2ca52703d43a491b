"""Checks of ci/http-api that go through the document: each yields what is not as it says."""
import json
import re
import subprocess
import tempfile
from pathlib import Path

from http_api.document import METHODS, Operation, operations

HERE = Path(__file__).resolve().parents[1]


def check_document(document, world):
    """It is OpenAPI, every unit is in it twice, and nothing else pretends to be one."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        told = subprocess.run([HERE / "openapi-valid", file.name], capture_output=True, text=True)
    if told.returncode:
        yield "not OpenAPI 3.0: " + told.stdout + told.stderr
    listed = world.daemon.ask("GET", "/api/system/units")[2]["items"]
    units = {unit["name"]: unit["kind"] for unit in listed}
    for unit, kind in units.items():
        path = "/api/" + unit.replace(".", "/")
        item = document["paths"].get(path, {})
        if set(item) != ({"get", "post"} if kind == "query" else {"post"}):
            yield f"{unit} is a {kind}, but {path} has {sorted(item)}"
    aliased = {o.unit for o in operations(document) if o.enveloped and o.unit}
    for unit in sorted(set(units) - aliased):
        yield f"{unit} has no path below /api/v2"
    contract = (HERE.parent / "daemon" / "CONTRACT.md").read_text(encoding="utf-8")
    told = {(method, unit) for row in contract.partition("| Path below `/api/v2` |")[2]
            .partition("\n\n")[0].splitlines()[2:]
            for method, cell in zip(METHODS, row.split("|")[2:5])
            for unit in re.findall(r"`(\w+\.\w+)`", cell)}
    real = {(o.method, o.unit) for o in operations(document) if o.enveloped and o.unit}
    for method, unit in sorted(told ^ real):
        where = "CONTRACT.md" if (method, unit) in told else "the document"
        yield f"{method} {unit} below /api/v2 is only in {where}"
    told_units = document["paths"]["/api/v2/execute"]["post"]["requestBody"]["content"]
    told_units = told_units["application/json"]["schema"]["properties"]["unit"]["enum"]
    if sorted(told_units) != sorted(units):
        yield "the units of execute are not those of system.units"


def check_answers(document, world):
    """Every operation answers 200, in the form that it tells."""
    for operation in operations(document):
        if operation.path == "/api/v2/execute":
            continue
        reply = operation.ask(world.daemon, world.sample(operation.unit))
        fault = operation.fault(reply)
        if reply[0] != 200 or fault:
            yield f"{operation.title}: {fault or reply[2]}"


def check_methods(document, world):
    """Allow, OPTIONS, HEAD and the 405 say the same as the document."""
    for path, item in document["paths"].items():
        allow = [m.upper() for m in METHODS if m in item]
        if "GET" in allow:
            allow.insert(1, "HEAD")
        allow.append("OPTIONS")
        real = re.sub(r"\{\w+\}", "any", path)
        status, headers, _ = world.daemon.ask("OPTIONS", real)
        if status != 204 or headers["Allow"] != ", ".join(allow):
            yield f"OPTIONS {path}: {status}, Allow {headers['Allow']}, not {allow}"
        for method in ("GET", "POST", "DELETE", "PUT", "PATCH"):
            if method not in allow:
                status, headers, _ = world.daemon.ask(method, real)
                if status != 405 or headers["Allow"] != ", ".join(allow):
                    yield f"{method} {path}: {status}, Allow {headers['Allow']}"
        if "GET" in allow:
            operation = Operation(document, path, "get")
            given = world.sample(operation.unit)
            want = operation.ask(world.daemon, given)[0]
            operation.method = "head"
            status, headers, body = operation.ask(world.daemon, given)
            if status != want or body or not int(headers["Content-Length"]):
                yield f"HEAD {path}: {status} {headers['Content-Length']} {body!r}, GET has {want}"


def wrong_values(schema, in_body):
    """Values that a field of this schema must refuse."""
    kind = schema.get("type")
    if in_body:
        wrong = {"string": [7, True], "integer": ["x", 1.5, True], "number": ["x", True],
                 "boolean": ["yes", 1], "object": [[1], "x"], "array": ["x", [[]], {}]}[kind]
    else:
        wrong = {"string": [], "integer": ["x", "1.5", ""], "number": ["x", "nan"],
                 "boolean": ["maybe"], "object": ["x", "[1"], "array": []}[kind]
    if "enum" in schema:
        wrong.append("no-such-word")
    if "minimum" in schema:
        wrong.append(schema["minimum"] - 1)
    if "maximum" in schema:
        wrong.append(schema["maximum"] + 1)
    if schema.get("minLength"):
        wrong.append("")
    if schema.get("minItems"):
        wrong.append([])
    return wrong


def check_inputs(document, world):
    """Every field refuses what its schema refuses, and takes what it takes; by name."""
    for operation in operations(document):
        if not operation.unit:
            continue
        good = world.sample(operation.unit)

        def refused(what, field, given):
            reply = operation.ask(world.daemon, given)
            error = reply[2].get("error") or {} if isinstance(reply[2], dict) else {}
            named = (error.get("details") or {}).get("field") == field
            if reply[0] != 400 or not named or field not in error["message"]:
                return f"{operation.title}: {what} of {field} was answered {reply[0]} {reply[2]}"
            return operation.fault(reply)

        for field, (schema, required) in operation.fields().items():
            faults = [refused(f"the value {wrong!r}", field, {**good, field: wrong})
                      for wrong in wrong_values(schema, bool(operation.schema))]
            if required:
                faults.append(refused("the lack", field,
                                      {k: v for k, v in good.items() if k != field}))
            if operation.method == "get" or operation.path.endswith("/list"):
                for right in schema.get("enum", []) + [schema[k] for k in ("minimum", "maximum")
                                                       if k in schema]:
                    reply = operation.ask(world.daemon, {**good, field: right})
                    if reply[0] != 200:
                        faults.append(f"{operation.title}: {field}={right} was answered {reply[2]}")
            yield from filter(None, faults)
        if not operation.schema or operation.schema["additionalProperties"] is False:
            fault = refused("an unknown key", "zzzzzz", {**good, "zzzzzz": "1"})
            if fault:
                yield fault
            for field in list(operation.fields())[:1]:
                _, _, body = operation.ask(world.daemon, {**good, field + "x": "1"})
                if f"did you mean '{field}'" not in json.dumps(body):
                    yield f"{operation.title}: {field}x is not told from {field}: {body}"


def check_pages(document, world):
    """Whatever answers a page takes limit and offset, and its total counts them all."""
    for _ in range(3):
        for unit in ("model", "service", "catalog", "skill", "pipeline", "alert"):
            world.make(f"{unit}.create", world.sample(f"{unit}.create"))
        world.make("skill.create", {"name": world.name(), "content": "backup"})
    for operation in operations(document):
        if "/Page" not in json.dumps(operation.told["responses"]["200"]):
            if operation.unit and operation.unit.split(".")[1] in ("list", "search", "match"):
                yield f"{operation.title} answers a list, but no page"
            continue
        good = world.sample(operation.unit)

        def page(**changes):
            status, _, body = operation.ask(world.daemon, good, **changes)
            body = body.get("data", body) if isinstance(body, dict) else {}
            return (body or {}).get("items"), (body or {}).get("total"), status
        everything, total, _ = page()
        if not isinstance(everything, list) or total != len(everything) or total < 3:
            yield f"{operation.title}: {total} in total, {everything and len(everything)} items"
            continue
        if page(limit=2, offset=1)[:2] != (everything[1:3], total):
            yield f"{operation.title}: limit 2 and offset 1 do not answer the second and third"
        if page(offset=total)[:2] != ([], total):
            yield f"{operation.title}: an offset of all is not an empty page"
