"""kill -9 of the daemon under guests, and the next one: how long until it knows them all again."""

import contextlib
import time

import bench_lib
import fake


def pids_and_boots(d):
    return {g["definition"]["name"]: (g["runtime"].get("pid"), g["runtime"]["bootNumber"]) for g in d.guests()}


def again(d, rounds):
    """Seconds from exec to the first answer, and to the answer that all run. No guest may have changed."""
    first, all_there = [], []
    before = pids_and_boots(d)
    for _ in range(rounds):
        d.crash()
        begin = time.perf_counter()
        first.append(d.start())
        api = d.api()
        while api.call("Server.Status")["running"] != len(before):
            if time.perf_counter() - begin > 60:
                raise bench_lib.Failed(f"{d.running()} of {len(before)} running after 60 s\n{d.log_tail()}")
            time.sleep(0.001)
        all_there.append(time.perf_counter() - begin)
        api.close()
        # Those being asked for count as running; their pid is known when their monitor has answered.
        while (after := pids_and_boots(d)) != before:
            if time.perf_counter() - begin > 60:
                raise bench_lib.Failed(f"guests are not the ones of before: {after}, {before}\n{d.log_tail()}")
    return first, all_there


def rows_of(n, kind, first, all_there):
    first = bench_lib.summary([s * 1000 for s in first], 1)
    there = bench_lib.summary([s * 1000 for s in all_there], 1)
    return [
        (f"umld with {n} {kind}: exec to the first answer", first["median"], "ms", first),
        (f"  to Status: {n} running", there["median"], "ms", there),
    ]


def empty(options, rounds):
    with bench_lib.daemon(options) as d:
        first = []
        for _ in range(rounds):
            d.crash()
            first.append(d.start())
    return first


def run(options):
    rounds = max(1, options.rounds * 2 - 1)
    first = bench_lib.summary([s * 1000 for s in empty(options, rounds)], 1)
    rows = [("umld without guests: exec to the first answer", first["median"], "ms", first)]
    with contextlib.ExitStack() as stack:
        image = stack.enter_context(bench_lib.image(options))
        d = stack.enter_context(bench_lib.daemon(options))
        for i in range(options.guests):
            bench_lib.fresh_disk(image, f"{d.folder}/g{i}.img")
            d.create(f"g{i}", "mem=40M", f"ubd0={d.folder}/g{i}.img")
        d.start_real(d.names)
        rows += rows_of(options.guests, "real guests", *again(d, rounds))
    if options.fake_guest:
        with bench_lib.daemon(options) as d:
            d.fake_kernel = fake.kernel(options, d.folder)
            fake.create(d, options.fake)
            fake.start_all(d)
            rows += rows_of(options.fake, "fake guests", *again(d, rounds))
    return {"rows": rows}
