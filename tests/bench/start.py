"""What supervision adds to one start: `umlctl start` to ready against a shell's start of the same kernel."""

import datetime
import itertools
import os
import time

import bench_lib
from bare import Recipe, start_once

TARGET_MS, TARGET_RATIO = 15, 1.05
PATIENCE = 5  # seconds that a turn waits for the host's other users; then it is taken all the same


def wall(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def ours_turn(d, parts):
    """One start, and where its time went: until the kernel's exec, and from ready to umlctl's end."""
    seconds = d.start_real(["g"], 120)
    end = time.time()
    runtime = d.call("Guest.Get", name="g")["guest"]["runtime"]
    parts["before"].append((wall(runtime["startedAt"]) - (end - seconds)) * 1000)
    parts["after"].append((end - wall(runtime["readyAt"])) * 1000)
    every = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    return seconds, runtime.get("cpu", every)  # a busy host: umld pins nothing


def pairs(options, d, image):
    disk = d.folder + "/disk.img"
    bench_lib.fresh_disk(image, disk)
    d.create("g", "mem=64M", "ubd0=" + disk)
    d.start_real(["g"], 120)  # the kernel's probe, page cache
    recipe, cpu = Recipe(d, "g"), 0
    d.control("kill", "g")
    ours, theirs, parts = [], [], {"before": [], "after": []}
    quiet = {"ours": [], "theirs": []}

    def ready_to_go(side):
        bench_lib.fresh_disk(image, disk)
        quiet[side].append(bench_lib.await_quiet(0 if options.smoke else PATIENCE))

    for i in range(options.pairs):

        def bare_turn():
            ready_to_go("theirs")
            theirs.append(start_once(recipe, d.folder, disk, cpu))

        if i % 2:  # on the CPU that umld took last
            bare_turn()
        ready_to_go("ours")
        seconds, cpu = ours_turn(d, parts)
        ours.append(seconds)
        d.control("kill", "g")
        if not i % 2:
            bare_turn()
    return ours, theirs, parts, quiet


def quiet_rows(a, b, quiet):
    """What the turns say that began on a quiet host. That was looked at before each, so it selects no outcome."""
    a = list(itertools.compress(a, quiet["ours"]))
    b = list(itertools.compress(b, quiet["theirs"]))
    count = f"{len(a) + len(b)}/{len(quiet['ours']) + len(quiet['theirs'])}"
    rows = [("turns begun on a quiet host", count, "", None)]
    if a and b:
        more = bench_lib.summary(a, 1)["median"] - bench_lib.summary(b, 1)["median"]
        rows.append(("  more, medians of these", round(more, 1), "ms", None))
    return rows


def part(values):
    s = bench_lib.summary(values, 1)
    return s["median"], "ms", s


def run(options):
    with bench_lib.image(options) as image, bench_lib.daemon(options) as d:
        ours, theirs, parts, quiet = pairs(options, d, image)
    a, b = [s * 1000 for s in ours], [s * 1000 for s in theirs]
    ratio = bench_lib.summary([x / y for x, y in zip(a, b)])
    more = bench_lib.summary([x - y for x, y in zip(a, b)], 1)
    ours, theirs = bench_lib.summary(a, 1), bench_lib.summary(b, 1)
    median_more = ours["median"] - theirs["median"]
    return {
        "rows": [
            ("umlctl start --wait ready", ours["median"], "ms", ours),
            ("bare kernel, shell, to READY=1", theirs["median"], "ms", theirs),
            ("more, medians", round(median_more, 1), "ms", None, f"<= {TARGET_MS}", median_more <= TARGET_MS),
            # Noise only ever adds: the quieter quarter says more about us than the median does.
            ("more, first quartiles", round(ours["p25"] - theirs["p25"], 1), "ms", None),
            ("more, fastest", round(ours["min"] - theirs["min"], 1), "ms", None),
            ("more, within pairs", more["median"], "ms", more),
            ("  until the kernel's exec", *part(parts["before"])),
            ("  from READY=1 to umlctl's end", *part(parts["after"])),
            ("ratio, medians", round(ours["median"] / theirs["median"], 3), "x", None, f"<= {TARGET_RATIO}",
             ours["median"] <= TARGET_RATIO * theirs["median"]),
            ("ratio, within pairs", ratio["median"], "x", ratio),
            *quiet_rows(a, b, quiet),
        ],
        "series": {"umlctl_ms": [round(x, 1) for x in a], "bare_ms": [round(x, 1) for x in b], "quiet": quiet},
    }
