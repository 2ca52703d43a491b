#!/usr/bin/env python3
"""Loopback ports for a test that names a number which somebody else binds later.

    port = ports.reserve()          one
    first = ports.reserve(5)        the first of five in a row

The kernel gives every outgoing connection a port of net.ipv4.ip_local_port_range, and where it ended
first that port refuses listeners for a minute, SO_REUSEADDR or not (the connection had not set it). So
"bind port 0, close, hand the number on" loses races on a busy machine. Here: 10000-19999, below that
range or reserved from it; free right now; and claimed until this process ends, however it ends, by an
abstract unix socket per port (as lasting and as wide as the ports: one network namespace). Tests in C++
claim from the same numbers by the same names (daemon/provider/test_bench.h); the harness has its own
below 30000 (harness/target/ports.cpp).

`ports.py --selftest` proves it.
"""
import contextlib
import errno
import os
import random
import socket
import subprocess
import sys
import threading

BEGIN, END = 10000, 20000
_held = []  # the claims of this process
_lock = threading.Lock()


def _numbers(name):
    with open("/proc/sys/net/ipv4/" + name, encoding="ascii") as file:
        return file.read().split()


def handed_out_by_the_kernel():
    """Which ports an outgoing connection may get."""
    low, high = map(int, _numbers("ip_local_port_range"))
    ports = set(range(low, high + 1))
    for piece in ",".join(_numbers("ip_local_reserved_ports")).split(","):
        if piece:  # "8080,9000-9100"
            first, _, last = piece.partition("-")
            ports -= set(range(int(first), int(last or first) + 1))
    return ports


def _claim(port):
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0aima-test-port-{port}")
        return claim
    except OSError:
        claim.close()
        return None


def is_free(port):
    """Whether nobody listens there, is bound or connected from there, or was a moment ago."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family) as probe:  # without SO_REUSEADDR: the strictest look
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as trouble:
            if trouble.errno == errno.EADDRINUSE:
                return False
            if family == socket.AF_INET:  # without IPv6 nobody can be there
                raise
    return True


def _take(first, count):
    with contextlib.ExitStack() as claims:
        for port in range(first, first + count):
            claim = _claim(port)
            if claim is None:
                return False
            claims.enter_context(claim)
            if not is_free(port):
                return False
        _held.append(claims.pop_all())
        return True


def reserve(count=1, begin=BEGIN, end=END):
    """The first of `count` ports in a row that are nobody's, ours until this process ends."""
    given = handed_out_by_the_kernel()
    outside = [first for first in range(begin, end - count + 1)
               if given.isdisjoint(range(first, first + count))]
    # Where the kernel gives all of them out a claim is still better than none.
    candidates = outside or list(range(begin, end - count + 1))
    turn = random.randrange(len(candidates))
    with _lock:
        for first in candidates[turn:] + candidates[:turn]:
            if _take(first, count):
                return first
    raise RuntimeError(f"no {count} free ports in a row from {begin} to {end - 1}")


# What holds, and would not with port 0

def _in_another_process(words):
    child = subprocess.Popen([sys.executable, __file__, "--reserve", *map(str, words)], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return child, int(child.stdout.readline())


def _end(child):
    child.stdin.close()
    child.wait()
    child.stdout.close()


def _selftest():
    first = reserve(5)
    assert handed_out_by_the_kernel().isdisjoint(range(first, first + 5)), first
    # Two that reserve at once never get the same, and get it again as soon as the other has ended.
    place = reserve(2)
    _held.pop().close()
    one, its = _in_another_process((1, place, place + 2))
    other, others = _in_another_process((1, place, place + 2))
    assert sorted((its, others)) == [place, place + 1], (place, its, others)
    try:
        reserve(1, place, place + 2)
        raise AssertionError("a port that another process has reserved")
    except RuntimeError:
        pass
    for child in (one, other):
        _end(child)
    assert reserve(2, place, place + 2) == place
    # Whoever listens is passed over, whatever the address; so is a port that has just been used.
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        port = reserve()
        with contextlib.suppress(OSError), socket.create_server((address, port), family=family):
            assert not is_free(port), (address, port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = reserve()
        client = socket.create_connection(listener.getsockname(), source_address=("127.0.0.1", port))
        accepted, _ = listener.accept()
        assert not is_free(port), "connected from there"
        client.close()
        accepted.recv(1)
        accepted.close()
        with socket.socket() as late:
            late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                late.bind(("127.0.0.1", port))
                raise AssertionError("TIME_WAIT of a client let a listener in: this file explains why not")
            except OSError:
                pass
        assert not is_free(port), "TIME_WAIT"
    print("ports: ok")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--reserve"]:
        print(reserve(*map(int, sys.argv[2:])), flush=True)
        sys.stdin.read()  # holds until told
    elif sys.argv[1:] == ["--selftest"]:
        _selftest()
    else:
        sys.exit(f"usage: {os.path.basename(__file__)} --selftest | --reserve [COUNT]")
