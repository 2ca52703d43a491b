"""The rows of ci/hostile-clients: what is sent on one connection, and what must come back."""


def request(method, path, *headers, body=None, version="HTTP/1.1"):
    lines = [f"{method} {path} {version}", "Host: test", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or "").encode()


def chunked(*pieces, path="/api/alert/create"):
    head = f"POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(pieces)


HEALTH = request("GET", "/health")
# What is sent, and the statuses that come back before the end. "*": any number of the one before.
ROWS = {
    "one request": (HEALTH, [200]),
    "empty lines first": (b"\r\n\r\n" + HEALTH, [200]),
    "a pipeline": (HEALTH * 50 + request("GET", "/nowhere") + HEALTH, [200] * 50 + [404, 200]),
    "a pipeline cut by a refusal": (HEALTH + b"BAD\r\n\r\n" + HEALTH, [200, 400]),
    "nothing": (b"", []),
    "half a request line": (b"GET /hea", []),
    "half a head": (b"GET /health HTTP/1.1\r\nHost: t", []),
    "half a body": (request("POST", "/api/model/create", body='{"name":"half"}')[:-3], []),
    "half a chunk": (chunked(b"8\r\n{\"na"), []),
    "a chunk without its end": (chunked(b"2\r\n{}xx0\r\n\r\n") + HEALTH, [400]),
    "a chunk size that is no number": (chunked(b"zz\r\n{}\r\n0\r\n\r\n") + HEALTH, [400]),
    "a chunk size with a sign": (chunked(b"-2\r\n{}\r\n0\r\n\r\n") + HEALTH, [400]),
    "a chunk size that overflows": (chunked(b"f" * 17 + b"\r\n{}"), [400, 413]),
    "a chunk size above the limit": (chunked(b"ffffffff\r\n{}"), [413]),
    "a chunk extension without an end": (chunked(b"2;" + b"x" * 100_000), [400, 413, 431]),
    "a good chunked body": (chunked(b"2;a=b\r\n{\"\r\n", b"1e\r\nname\":\"chunky\",\"condition\":\"x\"\r\n",
                                    b"1\r\n}\r\n0\r\nTrailer: t\r\n\r\n"), [200, 409]),
    "length and chunks": (b"POST /api/model/create HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH, [400]),
    "two lengths": (b"POST /api/model/create HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n"
                    b"Content-Length: 3\r\n\r\n{} " + HEALTH, [400]),
    "a length with a sign": (b"POST /api/model/create HTTP/1.1\r\nHost: t\r\nContent-Length: +2\r\n\r\n{}",
                             [400]),
    "a length that overflows": (b"POST /api/model/create HTTP/1.1\r\nHost: t\r\nContent-Length: "
                                + b"9" * 30 + b"\r\n\r\n", [400, 413]),
    "a length above the limit": (b"POST /api/model/create HTTP/1.1\r\nHost: t\r\nContent-Length: "
                                 b"99999999\r\n\r\n", [413]),
    "another transfer coding": (b"POST /api/model/create HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n"
                                b"\r\n" + HEALTH, [400, 501]),
    "chunks not last": (b"POST /api/model/create HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked, gzip"
                        b"\r\n\r\n0\r\n\r\n" + HEALTH, [400, 501]),
    "a space before the colon": (b"GET /health HTTP/1.1\r\nHost : t\r\n\r\n", [400]),
    "no Host": (b"GET /health HTTP/1.1\r\n\r\n", [400]),
    "two Hosts": (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]),
    "a NUL in a header": (b"GET /health HTTP/1.1\r\nHost: t\r\nX: a\0b\r\n\r\n", [400]),
    "a bare carriage return": (b"GET /health HTTP/1.1\r\nHost: t\r\nX: a\rb\r\n\r\n", [400]),
    "a huge header": (b"GET /health HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 17_000 + b"\r\n\r\n", [431]),
    "a header line without an end": (b"GET /health HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 5_000_000, [431]),
    "two thousand headers": (b"GET /health HTTP/1.1\r\nHost: t\r\n" + b"X: yyyyyyyy\r\n" * 2000 + b"\r\n", [431]),
    "a huge target": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", [431, 414]),
    "a method of letters": (request("G" * 100, "/health"), [405, 400]),
    "a target with a broken escape": (request("GET", "/health?a=%zz"), [400]),
    "a target with a NUL": (request("GET", "/health%00"), [400]),
    "another version": (request("GET", "/health", version="HTTP/3.7"), [505, 400]),
    "no version": (b"GET /health\r\n\r\n", [400, 505]),
    "the HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", [505, 400]),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512), [400]),
    "noise": (bytes(range(256)) * 40, [400]),
    "an unknown expectation": (request("POST", "/api/model/create", "Expect: tea", body="{}"), [417]),
    "a body that is no JSON": (request("POST", "/api/model/create", body="{'a'}"), [400]),
    "a body that is not UTF-8": (b"POST /api/model/create HTTP/1.1\r\nHost: t\r\nContent-Length: 13\r\n\r\n"
                                 b'{"name":"\xff\xfe"}', [400]),
    "a key twice": (request("POST", "/api/model/create", body='{"name":"a","name":"b"}'), [400]),
    "nested without an end": (request("POST", "/api/model/create", body="[" * 100_000), [400]),
    "a number beyond all": (request("POST", "/api/model/create", body='{"name":"n","size":1e999}'), [400]),
    "a media type that is none of ours": (request("POST", "/api/model/create", "Content-Type: text/html",
                                                  body="<p>"), [415]),
}
