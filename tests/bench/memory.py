"""Resident memory: the daemon with no, real and many fake guests; what stands around each guest."""

import contextlib
import statistics
import time

import bench_lib
import fake

IDLE_MIB, PER_GUEST_KIB, MONITOR_KIB = 8, 4, 300
SETTLE = 6  # seconds: one tick of the balancer, commits and checkpoints


def around(guests):
    """What each program that stands around a guest takes, in KiB, as medians; and PSS of all of one guest's."""
    found, sums = {"umlmon": [], "bwrap": [], "umlinit": []}, []
    for guest in guests:
        monitor = guest["runtime"]["monitorPid"]  # its name in ps is another
        found["umlmon"].append(bench_lib.memory(monitor))
        sums.append(found["umlmon"][-1]["Pss"])
        queue = bench_lib.children(monitor)
        while queue:
            pid = queue.pop()
            if bench_lib.comm(pid) in found:
                with contextlib.suppress(OSError):
                    found[bench_lib.comm(pid)].append(bench_lib.memory(pid))
                    sums[-1] += found[bench_lib.comm(pid)][-1]["Pss"]
                queue += bench_lib.children(pid)
    parts = {
        name: {key: statistics.median(m[key] for m in all_of) for key in all_of[0]}
        for name, all_of in found.items()
        if all_of
    }
    parts["all"] = {"Pss": statistics.median(sums)}
    return parts


def daemon_rss(d):
    return bench_lib.memory(d.process.pid)


def settle(options):
    time.sleep(0 if options.smoke else SETTLE)


def real(options, d, rows):
    """RSS of the daemon, empty and with real guests."""
    with bench_lib.image(options) as image:
        idle = daemon_rss(d)
        disks = [f"{d.folder}/g{i}.img" for i in range(options.guests)]
        for i, disk in enumerate(disks):
            bench_lib.fresh_disk(image, disk)
            d.create(f"g{i}", "mem=40M", "ubd0=" + disk)
        d.start_real(d.names)
        settle(options)
        full, parts = daemon_rss(d), around(d.guests())
        n = len(d.names)
    rows += [
        ("umld RSS, no guest", idle["Rss"], "KiB", None, f"<= {IDLE_MIB * 1024}", idle["Rss"] <= IDLE_MIB * 1024),
        ("  of it private", idle["Private_Dirty"] + idle["Private_Clean"], "KiB", None),
        (f"umld RSS, {n} real guests", full["Rss"], "KiB", None),
        (f"umlmon PSS, one of {n}", parts["umlmon"]["Pss"], "KiB", None, f"<= {MONITOR_KIB}",
         parts["umlmon"]["Pss"] <= MONITOR_KIB),
        ("  its private dirty memory", parts["umlmon"]["Private_Dirty"], "KiB", None),
        ("bwrap PSS", parts["bwrap"]["Pss"], "KiB", None),
        ("umlinit PSS", parts["umlinit"]["Pss"], "KiB", None),
        ("all around one guest, PSS", parts["all"]["Pss"], "KiB", None),
    ]


def many(options, rows):
    """RSS of a daemon with fake guests: defined, then running."""
    with bench_lib.daemon(options) as d:
        d.fake_kernel = fake.kernel(options, d.folder)
        fake.create(d, 1)
        fake.start_all(d)  # the kernel's probe, all code paths
        d.remove_all()
        before = daemon_rss(d)["Rss"]
        fake.create(d, options.fake)
        defined = daemon_rss(d)["Rss"]
        fake.start_all(d)
        settle(options)
        running, parts = daemon_rss(d)["Rss"], around(d.guests())
    n = options.fake
    each = round((running - before) / n, 2)
    rows += [
        ("umld RSS, warm, before the fake guests", before, "KiB", None),
        (f"umld RSS, {n} fake guests defined", defined, "KiB", None),
        (f"umld RSS, {n} fake guests running", running, "KiB", None),
        ("  more per guest", each, "KiB", None, f"<= {PER_GUEST_KIB}", each <= PER_GUEST_KIB),
        (f"umlmon PSS, one of {n}", parts["umlmon"]["Pss"], "KiB", None, f"<= {MONITOR_KIB}",
         parts["umlmon"]["Pss"] <= MONITOR_KIB),
    ]


def run(options):
    rows = []
    with bench_lib.daemon(options) as d:
        real(options, d, rows)
    if options.fake_guest:
        many(options, rows)
    return {"rows": rows}
