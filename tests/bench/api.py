"""How long calls take: on an open connection, and for a program that is started for one call."""

import os
import socket
import struct
import time

import bench_lib
import fake

PING_US, LIST_MS, COLD_MS = 100, 10, 5


def series(function, count):
    values = []
    for _ in range(count):
        begin = time.perf_counter()
        function()
        values.append(time.perf_counter() - begin)
    return values


def calls(d, request, count):
    api = d.api()
    try:
        api.raw(request)
        return series(lambda: api.raw(request), count)
    finally:
        api.close()


def echo_floor(count):
    """The same bytes between this process and a trivial child: what the host's sockets cost."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        while data := theirs.recv(65536):
            theirs.sendall(data)
        os._exit(0)
    theirs.close()
    try:
        request = bench_lib.Api.encode("Server.Ping")

        def once():
            ours.sendall(request)
            ours.recv(65536)

        return series(once, count)
    finally:
        ours.close()
        os.waitpid(pid, 0)


def programs(argvs, env, count):
    """Programs in turn, so that each sees the same host. Milliseconds of each."""
    found = [[] for _ in argvs]
    for _ in range(count):
        for argv, values in zip(argvs, found):
            seconds, status = bench_lib.timed(argv, env, 30, quiet=2)
            if status:
                raise bench_lib.Failed(f"{' '.join(argv)}: status {status}")
            values.append(seconds * 1000)
    return [bench_lib.summary(values) for values in found]


def direct_version(path, folder, count):
    """The protocol itself: one datagram there, one back."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(folder + "/direct")  # where the kernel in its sandbox sees it
        sock.connect(path)
        sock.settimeout(10)
        request = struct.pack("<III512s", 0xCAFEBABE, 2, 7, b"version")

        def once():
            sock.send(request)
            sock.recv(4096)

        return series(once, count)


def mconsole(options, d, rows):
    uml_mconsole = bench_lib.need("uml_mconsole", "uml-utilities")
    inner = d.run + "/g/g/in"
    path = inner + "/uml/mconsole"
    count = max(5, options.calls // 10)
    direct, ours = [], []
    request = bench_lib.Api.encode("Guest.Mconsole", name="g", command="version")
    for _ in range(5):  # in turns
        direct += direct_version(path, inner, count // 5 + 1)
        os.unlink(inner + "/direct")
        ours += calls(d, request, count // 5 + 1)
    direct = bench_lib.summary([s * 1e6 for s in direct], 0)
    ours = bench_lib.summary([s * 1e6 for s in ours], 0)
    # uml_mconsole binds an abstract address, which a kernel with a network namespace of its own cannot
    # answer: it only works with a guest outside the sandbox.
    path = d.run + "/g/bare/in/uml/mconsole"
    theirs, control = programs([[uml_mconsole, path, "version"], [d.umlctl, "mconsole", "bare", "version"]], d.env,
                               count // 4 + 1)
    rows += [
        ("mconsole version: the kernel itself", direct["median"], "us", direct),
        ("mconsole version: umld's API", ours["median"], "us", ours),
        ("mconsole version: program uml_mconsole", theirs["median"], "ms", theirs),
        ("mconsole version: program umlctl", control["median"], "ms", control),
    ]


def real(options, rows):
    with bench_lib.image(options) as image, bench_lib.daemon(options) as d:
        bench_lib.fresh_disk(image, d.folder + "/g.img")
        bench_lib.fresh_disk(image, d.folder + "/bare.img")
        d.create("g", "mem=40M", f"ubd0={d.folder}/g.img")
        d.create("bare", "mem=40M", f"ubd0={d.folder}/bare.img", sandbox=False)
        d.batches("start", ["g", "bare"])
        floor = bench_lib.summary([s * 1e6 for s in echo_floor(options.calls)], 1)
        ping = bench_lib.summary([s * 1e6 for s in calls(d, d.api().encode("Server.Ping"), options.calls)], 1)
        true, cold = programs([["/bin/true"], [d.umlctl, "list"]], d.env, max(5, options.calls // 20))
        rows += [
            ("echo between two processes", floor["median"], "us", floor),
            ("Ping", ping["median"], "us", ping, f"<= {PING_US}", ping["median"] <= PING_US),
            ("program /bin/true", true["median"], "ms", true),
            ("program umlctl list, 2 guests", cold["median"], "ms", cold, f"<= {COLD_MS}", cold["median"] <= COLD_MS),
        ]
        mconsole(options, d, rows)


def many(options, rows):
    n = options.fake
    with bench_lib.daemon(options) as d:
        d.fake_kernel = fake.kernel(options, d.folder)
        fake.create(d, n)
        fake.start_all(d)
        request = bench_lib.Api.encode("Guest.List")
        size = len(d.api().raw(request))
        values = bench_lib.summary([s * 1000 for s in calls(d, request, max(5, options.calls // 20))], 2)
        cold = programs([[d.umlctl, "list"]], d.env, max(5, options.calls // 100))[0]
        ping = bench_lib.summary([s * 1e6 for s in calls(d, d.api().encode("Server.Ping"), options.calls)], 1)
    rows += [
        (f"List of {n} running guests", values["median"], "ms", values, f"<= {LIST_MS}", values["median"] <= LIST_MS),
        ("  its size", size >> 10, "KiB", None),
        (f"program umlctl list, {n} guests", cold["median"], "ms", cold),
        (f"Ping beside {n} guests", ping["median"], "us", ping),
    ]


def run(options):
    rows = []
    real(options, rows)
    if options.fake_guest:
        many(options, rows)
    return {"rows": rows}
