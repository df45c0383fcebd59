"""Many guests at once: one `umlctl start` of all of them against as many bare starts."""

import os
import time

import bench_lib
from bare import Guest, Recipe, wait_ready

LIMIT = 900


def fresh_disks(d, image, names):
    for name in names:
        bench_lib.fresh_disk(image, f"{d.folder}/{name}.img")


def umld_storm(d, names, image):
    fresh_disks(d, image, names)
    seconds = d.start_real(names)
    ready = d.running()
    d.kill_all()
    return seconds, ready


def bare_storm(d, recipe, names, image, places):
    """places: how many boot at a time. Pinned to the CPUs in turn, as umld does."""
    fresh_disks(d, image, names)
    cpus = sorted(os.sched_getaffinity(0))
    guests, ready = [], 0
    begin = time.perf_counter()
    try:
        for i, name in enumerate(names):
            if i - ready >= places:
                ready = wait_ready(guests, LIMIT, ready)
            guests.append(Guest(recipe, f"{d.folder}/b{i}", f"{d.folder}/{name}.img", cpus[i % len(cpus)]))
        ready = wait_ready(guests, LIMIT)
        seconds = time.perf_counter() - begin
    finally:
        for guest in guests:
            guest.end()
    return seconds, ready


def rounds(options, d, image):
    names = [f"g{i}" for i in range(options.guests)]
    fresh_disks(d, image, names)
    for name in names:
        d.create(name, "mem=40M", f"ubd0={d.folder}/{name}.img")
    if d.control("start", names[0])[1]:
        raise bench_lib.Failed("umlctl start failed\n" + d.log_tail())
    recipe = Recipe(d, names[0])
    d.kill_all()
    places = 4 * os.cpu_count()
    turns = {
        "umld": lambda: umld_storm(d, names, image),
        "at once": lambda: bare_storm(d, recipe, names, image, len(names)),
        "staggered": lambda: bare_storm(d, recipe, names, image, places),
    }
    seconds, ready = {key: [] for key in turns}, {key: [] for key in turns}
    for i in range(options.rounds):
        order = list(turns)[i % 3 :] + list(turns)[: i % 3]
        for key in order:
            s, n = turns[key]()
            seconds[key].append(s)
            ready[key].append(n)
    return seconds, ready


def run(options):
    with bench_lib.image(options) as image, bench_lib.daemon(options) as d:
        seconds, ready = rounds(options, d, image)
    n = options.guests
    s = {key: bench_lib.summary(values, 2) for key, values in seconds.items()}
    best = min(s["at once"]["median"], s["staggered"]["median"])
    rows = [
        (f"umlctl start of {n}", s["umld"]["median"], "s", s["umld"], f"<= {best}", s["umld"]["median"] <= best),
        ("ready", f"{min(ready['umld'])}/{n}", "", None, f"{n}/{n}", min(ready["umld"]) == n),
    ]
    for key in ("at once", "staggered"):
        rows.append((f"{n} bare starts, {key}", s[key]["median"], "s", s[key]))
        rows.append((f"  ready", f"{min(ready[key])}/{n}", "", None))
        rows.append((f"  umld against it", round(s["umld"]["median"] / s[key]["median"], 3), "x", None))
    return {"rows": rows, "series": {k: [round(x, 2) for x in v] for k, v in seconds.items()}, "ready": ready}
