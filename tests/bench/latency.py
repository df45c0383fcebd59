"""mconsole of a healthy guest: alone, and while others are stopped or silent and are being asked, too."""

import os
import signal
import time

import bench_lib
import fake

ASK = {"command": "version", "timeoutMs": 60000}


def microseconds(d, count):
    request = bench_lib.Api.encode("Guest.Mconsole", name="g", command="version")
    api, values = d.api(), []
    try:
        for _ in range(count):
            begin = time.perf_counter()
            reply = api.raw(request)
            values.append((time.perf_counter() - begin) * 1e6)
            if b'"error"' in reply:
                raise bench_lib.Failed(f"mconsole of a healthy guest: {reply[:300]!r}")
    finally:
        api.close()
    return values


def beside_the_others(d, count):
    """Half of the others stopped, half silent, a call to each of them on its way all the time."""
    stopped = [n for n in d.names if n.startswith("s")]
    silent = [n for n in d.names if n.startswith("f")]
    d.start_real(stopped)
    d.batches("start", silent)
    pids = [d.call("Guest.Get", name=name)["guest"]["runtime"]["pid"] for name in stopped]
    calls = []
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for name in stopped + silent:
            calls.append(d.api())
            calls[-1].socket.sendall(bench_lib.Api.encode("Guest.Mconsole", name=name, **ASK))
        values = microseconds(d, count)
        for call in calls:
            call.socket.setblocking(False)
            try:
                raise bench_lib.Failed(f"a guest that hangs has answered: {call.socket.recv(300)!r}")
            except BlockingIOError:
                pass
    finally:
        for call in calls:
            call.close()
    d.batches("kill", stopped + silent)
    return values


def share(values, part):
    return round(sorted(values)[min(len(values) - 1, int(len(values) * part))], 1)


def rows_of(alone, beside, others):
    """Noise is what the turns alone differ by; the percentiles are of each turn, then their medians."""
    rows = []
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        a = bench_lib.summary([share(values, part) for values in alone], 1)
        b = bench_lib.summary([share(values, part) for values in beside], 1)
        rows += [
            (f"mconsole version, {name}: alone", a["median"], "us", a),
            (f"  beside {others} stopped and {others} silent", b["median"], "us", b, f"<= {a['max']}",
             b["median"] <= a["max"]),
            ("  ratio", round(b["median"] / a["median"], 3), "x", None),
        ]
    return rows


def run(options):
    others = options.others
    alone, beside = [], []
    with bench_lib.image(options) as image, bench_lib.daemon(options) as d:
        kernel = fake.kernel(options, d.folder)
        for name in ["g"] + [f"s{i}" for i in range(others)]:
            bench_lib.fresh_disk(image, f"{d.folder}/{name}.img")
            d.create(name, "mem=40M", f"ubd0={d.folder}/{name}.img")
        for i in range(others):
            d.create(f"f{i}", "mem=32M", kernel=kernel, cmdline=["fake=silent"])
        d.start_real(["g"])
        microseconds(d, options.calls)
        for _ in range(options.rounds * 2 - 1):
            alone.append(microseconds(d, options.calls))
            beside.append(beside_the_others(d, options.calls))
    return {"rows": rows_of(alone, beside, others)}
