"""Checks of ci/http-api that ask for what the contract tells beyond single operations."""
import json
import os
import re
import threading

from http_api.daemon import Daemon
from http_api.document import Operation, operations


def check_execute(document, world):
    """Every unit through execute and through `aima exec`."""
    operation = Operation(document, "/api/v2/execute", "post")
    kinds = {u["name"]: u["kind"] for u in world.daemon.ask("GET", "/api/system/units")[2]["items"]}
    for unit, kind in kinds.items():
        asked = {"type": kind, "unit": unit, "input": world.sample(unit),
                 "options": {"timeout": "30s", "trace_id": "trace of " + unit}}
        reply = operation.ask(world.daemon, asked)
        fault = operation.fault(reply)
        if reply[0] != 200 or fault or reply[2]["meta"]["trace_id"] != "trace of " + unit:
            yield f"execute {unit}: {fault or reply[2]}"
        asked["type"] = "command" if kind == "query" else "query"
        reply = operation.ask(world.daemon, asked)
        if reply[0] != 400 or reply[2]["error"]["details"] != {"field": "type"}:
            yield f"execute {unit} as {asked['type']}: {reply[2]}"
        done = world.daemon.exec(unit, world.sample(unit))
        try:
            json.loads(done.stdout)
        except ValueError:
            yield f"aima exec {unit}: {done.stdout!r} is not one JSON document"
        if done.returncode != 0:
            yield f"aima exec {unit}: {done.returncode} {done.stderr}"
        done = world.daemon.exec(unit, {"zzzzzz": 1})
        if done.returncode != 1 and unit != "inference.chat":
            yield f"aima exec {unit} with an unknown key: {done.returncode}"


def check_keys(_, world):
    """An idempotency key is one key, whichever of a unit's three ways it comes by."""
    given, key = {"name": world.name()}, {"Idempotency-Key": world.name()}
    ways = {"/api/model/create": given, "/api/v2/models": given,
            "/api/v2/execute": {"unit": "model.create", "input": given}}
    made = set()
    for path, body in ways.items():
        status, headers, reply = world.daemon.ask("POST", path, body=body, headers=key)
        again = "true" if made else None
        if status != 200 or headers["Idempotency-Replayed"] != again:
            yield f"{path}: {status}, replayed {headers['Idempotency-Replayed']}: {reply}"
        made.add(reply["data"]["id"] if "success" in reply else reply.get("id"))
    if len(made) != 1:
        yield f"one key made {made}"
    for path in ways:
        body = {"unit": "model.create", "input": {"name": "other"}}
        status, _, reply = world.daemon.ask(
            "POST", path, body=body if path.endswith("execute") else body["input"], headers=key)
        if status != 422:
            yield f"{path}: another input with the same key was answered {status} {reply}"


def check_statuses(_, world):
    """What a client can provoke by itself has the status that means it."""
    ask, raw = world.daemon.ask, world.daemon.raw
    slow = {}  # 408 takes the 10 s that a head may take: it is waited for beside the rest
    waiting = threading.Thread(target=lambda: slow.update(line=raw(b"GET /health HTT")))
    waiting.start()
    model = world.model()
    service, served = world.running()
    head = b"POST /api/model/create HTTP/1.1\r\nHost: t\r\n"
    seen = {
        "200 no body": ask("POST", f"/api/v2/services/{service}/start")[0],
        "400 two ids": ask("GET", "/api/v2/models/" + model, {"id": served})[0],
        "400 another id": ask("POST", f"/api/v2/services/{service}/start", body={"id": model})[0],
        "400 stream in an envelope": ask("POST", "/api/v2/execute", body={
            "unit": "inference.chat", "input": {"model": served, "message": "x",
                                                "stream": True}})[0],
        "400 malformed JSON": ask("POST", "/api/model/create", raw="{", headers={
            "Content-Type": "application/json"})[0],
        "400 a key twice": ask("POST", "/api/model/create", raw='{"name":"a","name":"b"}')[0],
        "400 no HTTP": raw(b"nonsense\r\n\r\n"),
        "400 body and query": ask("POST", "/api/model/list", {"limit": 1}, {"limit": 1})[0],
        "404 no path": ask("GET", "/api/model/lisst")[0],
        "404 no id": ask("GET", "/api/model/get", {"id": "model-00000000"})[0],
        "404 no unit": ask("POST", "/api/v2/execute", body={"unit": "model.lisst"})[0],
        "405 method": ask("GET", "/api/model/create")[0],
        "409 name taken": ask("POST", "/api/model/create", body={
            "name": ask("GET", "/api/model/get", {"id": model})[2]["name"]})[0],
        "409 in use": ask("DELETE", "/api/v2/models/" + served)[0],
        "413 body": raw(head + b"Content-Length: 10485761\r\n\r\n"),
        "415 type": ask("POST", "/api/model/create", raw="name=x", headers={
            "Content-Type": "application/x-www-form-urlencoded"})[0],
        "415 coding": ask("POST", "/api/model/create", raw="x", headers={
            "Content-Encoding": "gzip"})[0],
        "417 expectation": raw(head + b"Content-Length: 2\r\nExpect: tea\r\n\r\n{}"),
        "431 head": raw(b"GET /health HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 20000 + b"\r\n\r\n"),
        "501 coding": raw(head + b"Transfer-Encoding: gzip\r\n\r\n{}"),
        "505 version": raw(b"GET /health HTTP/3.0\r\nHost: t\r\n\r\n"),
        "409 no running service": ask("POST", "/api/inference/chat", body={
            "model": model, "message": "x"})[0],
        "504 options.timeout": ask("POST", "/api/v2/execute", body={
            "unit": "inference.chat", "options": {"timeout": "300ms"},
            "input": {"model": served, "message": "x",
                      "fixture": {"latency_ms": 20000}}})[0],
    }
    waiting.join()
    seen["408 slow head"] = slow.get("line")
    for what, found in seen.items():
        status = found if isinstance(found, int) else int((found or "HTTP/1.1 0").split()[1])
        if status != int(what[:3]):
            yield f"{what}: answered {found}"
    for path in ("/api/inference/chat", "/api/v2/inference/chat"):
        _, headers, text = ask("POST", path, body={"model": served, "message": "a b",
                                                   "stream": True})
        events = [line for line in str(text).splitlines() if line.startswith("data: ")]
        if not headers["Content-Type"].startswith("text/event-stream") or len(events) < 3 or (
                events[-1] != "data: [DONE]"):
            yield f"{path} does not stream: {headers['Content-Type']} {text!r:.200}"


def check_guard(document, world):
    """401 and 429 are told where the guard stands, and nowhere else."""
    for refusal, limit in ((401, ""), (429, "rate_limit = 1\n")):
        daemon = Daemon(world.daemon.aima.parent,
                        f'[security]\napi_keys = ["{os.urandom(16).hex()}"]\n{limit}')
        try:
            for operation in operations(document):
                told = str(refusal) in operation.told["responses"]
                path = re.sub(r"\{\w+\}", "any", operation.path)
                # A request a second is let through: not the next one as well.
                seen = set()
                for _ in range(50 if told else 3):
                    seen.add(daemon.ask(operation.method.upper(), path)[0])
                    if told and refusal in seen:
                        break
                if told != (refusal in seen):
                    yield (f"{operation.title}: {refusal} is {'' if told else 'not '}in the "
                           f"document, and without a key it answers {sorted(seen)}")
        finally:
            daemon.end()
