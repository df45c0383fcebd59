"""How soon a subscriber of events knows that a guest has panicked or ended.

One clock, from just before the cause: kill(2), or what makes the kernel panic (so its own work counts, too: it
prints before it tells). What the host itself takes to tell of an end, and a kernel without umld of its panic, is
measured beside it.
"""

import json
import os
import select
import signal
import socket
import statistics
import struct
import time

import bench_lib
import fake
from bare import Guest, Recipe, wait_ready

TARGET_MS = 5
NOTIFY_PANIC = 1
REST = 1  # seconds: a kernel that has just said READY=1 does not print at once, and the panic is out sooner


class Subscriber:
    def __init__(self, d):
        self.api, self.rest, self.seen = d.api(), b"", {}
        request = {"method": "io.umld.Server.Subscribe", "more": True, "parameters": {
            "since": d.call("Server.Status")["lastEvent"], "follow": True, "types": ["guest.exited", "guest.ended", "guest.panic"]}}
        self.api.socket.sendall(json.dumps(request).encode() + b"\0")

    def take(self):
        """What one read brings, and when it came."""
        data = self.api.socket.recv(1 << 16)
        now = time.monotonic()
        *whole, self.rest = (self.rest + data).split(b"\0")
        for text in whole:
            event = json.loads(text)["parameters"]["event"]
            self.seen[event["type"], event["object"]] = now

    def wait(self, kind, name, limit=30):
        """When it came; it is forgotten."""
        end = time.monotonic() + limit
        while (kind, name) not in self.seen:
            if time.monotonic() > end:
                raise bench_lib.Failed(f"no {kind} of {name} for {limit} s")
            if select.select([self.api.socket], [], [], 1)[0]:
                self.take()
        return self.seen.pop((kind, name))


def main_process(d, name):
    return d.call("Guest.Get", name=name)["guest"]["runtime"]["pid"]


def after_kill(d, subscriber, name):
    """Seconds to the host's own news of the end, and to the subscriber's: it has exited, nothing is left of it."""
    pid = main_process(d, name)
    pidfd = os.pidfd_open(pid)
    subscriber.seen.clear()
    begin = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    select.select([pidfd], [], [], 30)
    gone = time.monotonic()
    told = subscriber.wait("guest.exited", name)
    ended = subscriber.wait("guest.ended", name)
    os.close(pidfd)
    return gone - begin, told - begin, ended - begin


def crash(path):
    """sysrq c, from nobody: what the kernel prints is then sent to no one. The time of just before."""
    request = struct.pack("<III512s", 0xCAFEBABE, 2, 7, b"sysrq c")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        begin = time.monotonic()
        sock.sendto(request, path)
    return begin


def after_panic(d, subscriber, name):
    subscriber.seen.clear()
    begin = crash(f"{d.run}/g/{name}/in/uml/mconsole")
    return subscriber.wait("guest.panic", name) - begin


def after_typed_panic(api, subscriber, name):
    """Of a fake guest, from the request to type the word that makes it panic."""
    subscriber.seen.clear()
    begin = time.monotonic()
    api.call("Console.Send", name=name, data="panic\n")
    return subscriber.wait("guest.panic", name) - begin


def bare_panics(d, name, image, count):
    """What the kernel itself takes: started without umld, from the request to its datagram."""
    recipe, times = Recipe(d, name), []
    for i in range(count):
        disk = f"{d.folder}/b{i}.img"
        bench_lib.fresh_disk(image, disk)
        guest = Guest(recipe, f"{d.folder}/b{i}", disk, sorted(os.sched_getaffinity(0))[0])
        try:
            wait_ready([guest], 120)
            time.sleep(REST)
            begin = crash(f"{guest.folder}/uml/mconsole")
            while struct.unpack("<i", guest.notify.recv(4096)[8:12])[0] != NOTIFY_PANIC:
                pass
            times.append(time.monotonic() - begin)
        finally:
            guest.end()
    return times


def fakes(options, times):
    exits, panics = [], []
    with bench_lib.daemon(options) as d:
        d.fake_kernel = fake.kernel(options, d.folder)
        fake.create(d, 1)
        name, api, subscriber = d.names[0], d.api(), Subscriber(d)
        for _ in range(times):
            api.call("Guest.Start", name=name)
            exits.append(after_kill(d, subscriber, name))
            api.call("Guest.ResetFailed", name=name)
            api.call("Guest.Start", name=name)
            panics.append(after_typed_panic(api, subscriber, name))
            subscriber.wait("guest.ended", name)
            api.call("Guest.ResetFailed", name=name)
    return exits, panics


def reals(options):
    """Half of them are killed, half panic; before that, some that umld does not know panic."""
    exits, panics = [], []
    with bench_lib.image(options) as image, bench_lib.daemon(options) as d:
        for i in range(options.guests):
            bench_lib.fresh_disk(image, f"{d.folder}/g{i}.img")
            d.create(f"g{i}", "mem=40M", f"ubd0={d.folder}/g{i}.img")
        d.start_real(d.names)
        bare = bare_panics(d, d.names[0], image, max(1, options.guests // 4))
        subscriber = Subscriber(d)
        time.sleep(REST)
        for i, name in enumerate(d.names):
            if i % 2:
                exits.append(after_kill(d, subscriber, name))
            else:
                panics.append(after_panic(d, subscriber, name))
                subscriber.wait("guest.ended", name)
    return exits, panics, bare


def rows_of_series(what, seconds, judged=True):
    s = bench_lib.summary([value * 1000 for value in seconds], 2)
    p99 = round(sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.99))] * 1000, 2)
    target = (f"<= {TARGET_MS}", p99 <= TARGET_MS) if judged else ()
    return [(f"{what}, p50", s["median"], "ms", s), ("  p99", p99, "ms", None, *target)]


def rows_of(kind, exits, panics, bare=None):
    gone, told, ended = zip(*exits)
    rows = [
        *rows_of_series(f"{kind}: kill(2) to guest.exited", told),
        *rows_of_series("  to guest.ended: nothing is left", ended, judged=False),
        *rows_of_series("  to the kernel's pidfd: the host itself", gone, judged=False),
        *rows_of_series(f"{kind}: made to panic, to guest.panic", panics, judged=not bare),
    ]
    if bare:
        more = round((statistics.median(panics) - statistics.median(bare)) * 1000, 2)
        rows += rows_of_series("  to the datagram of a bare kernel", bare, judged=False)
        rows.append(("  umld more, medians", more, "ms", None, f"<= {TARGET_MS}", more <= TARGET_MS))
    return rows


def run(options):
    rows = rows_of("real", *reals(options))
    if options.fake_guest:
        rows = rows_of("fake", *fakes(options, max(2, options.calls // 10))) + rows
    return {"rows": rows}
