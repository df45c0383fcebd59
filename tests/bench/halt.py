"""All guests down: one `umlctl stop` of them, against uml_mconsole cad in a loop and waiting for their ends."""

import os
import select
import time

import bench_lib
import population

LOOP = 'program=$1; shift; for socket; do "$program" "$socket" cad || exit; done'
LIMIT = 600


def all_gone(pidfds, limit):
    end = time.monotonic() + limit
    while pidfds and time.monotonic() < end:
        for fd in select.select(pidfds, [], [], 1)[0]:
            pidfds.remove(fd)
            os.close(fd)
    if pidfds:
        raise bench_lib.Failed(f"{len(pidfds)} guests are not down after {limit} s")


def by_umlctl(d, names):
    seconds, status = d.control("stop", *names, limit=LIMIT)
    if status:
        raise bench_lib.Failed(f"umlctl stop: status {status}\n{d.log_tail()}")
    return seconds


def by_loop(d, names):
    """The guests are umld's: it looks after them all the same, and starts none again."""
    uml_mconsole = bench_lib.need("uml_mconsole", "uml-utilities")
    sockets = [f"{d.run}/g/{name}/in/uml/mconsole" for name in names]
    pidfds = [os.pidfd_open(g["runtime"]["pid"]) for g in d.guests() if g["definition"]["name"] in names]
    begin = time.perf_counter()
    status = bench_lib.timed(["/bin/sh", "-c", LOOP, "sh", uml_mconsole, *sockets], d.env, LIMIT, quiet=2)[1]
    if status:
        raise bench_lib.Failed(f"uml_mconsole cad: status {status}")
    all_gone(pidfds, LIMIT)
    return time.perf_counter() - begin


def run(options):
    n, times = options.halted, {"umlctl": [], "loop": []}
    turns = {"umlctl": by_umlctl, "loop": by_loop}
    with bench_lib.image(options) as image, bench_lib.daemon(options) as d:
        for i in range(options.rounds):
            for key in sorted(turns, reverse=i % 2 == 0):
                kind, names = population.running(options, d, image, n)
                times[key].append(turns[key](d, names))
                d.batches("kill", names)
    s = {key: bench_lib.summary(values, 2) for key, values in times.items()}
    best = s["loop"]["median"]
    return {
        "rows": [
            (f"umlctl stop of {n} {kind}", s["umlctl"]["median"], "s", s["umlctl"], f"<= {best}",
             s["umlctl"]["median"] <= best),
            ("uml_mconsole cad in a loop, until all have ended", best, "s", s["loop"]),
            ("  umlctl against it", round(s["umlctl"]["median"] / best, 3), "x", None),
        ]
    }
