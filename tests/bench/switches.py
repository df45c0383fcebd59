"""Raw frames through one switch: umlnetd, its peers where they are installed, and a relay that reads none of them.

Turns alternate, so that each sees the same host; ratios are of medians. A sender blocks where it is made to wait, so
what is lost was lost by the switch.
"""

import contextlib
import json
import os
import resource
import select
import subprocess
import time

import bench_lib

RATE_TARGET, LOSS_TARGET = 1.6, 0.1
TICK = os.sysconf("SC_CLK_TCK")
TALKING = 50  # of many links


class Switch:
    """A running one; kind and path are what `frames` is told."""

    def __init__(self, kind, path, process=None):
        self.kind, self.path, self.process = kind, path, process

    def cpu(self):
        """Seconds so far."""
        if not self.process:
            return 0.0
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK


def await_socket(process, path, limit=20):
    end = time.monotonic() + limit
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > end:
            raise bench_lib.Failed(f"{' '.join(process.args)}: {path} does not appear")
        time.sleep(0.01)


@contextlib.contextmanager
def started(argv, ready_path=None):
    """ready_path None: it says so on its standard output. Standard input stays open: vde_switch ends with it."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL if ready_path else subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        try:
            if ready_path:
                await_socket(process, ready_path)
            elif not select.select([process.stdout], [], [], 20)[0] or not process.stdout.readline():
                raise bench_lib.Failed(f"{argv[0]} does not start")
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def switches(options, folder):
    """All that can be compared here, by name."""
    with contextlib.ExitStack() as stack:
        control, seq = folder + "/n.ctl", folder + "/n.seq"
        umlnetd = os.path.join(options.stage, "libexec/umld/umlnetd")
        process = stack.enter_context(started([umlnetd, "--listen", "uml:" + control, "--listen", "seqpacket:" + seq]))
        found = {"umlnetd": Switch("uml", control, process), "umlnetd seqpacket": Switch("seqpacket", seq, process)}
        with contextlib.suppress(bench_lib.Skipped):
            path = folder + "/u.ctl"
            argv = [bench_lib.need("uml_switch", "uml-utilities"), "-unix", path]
            found["uml_switch"] = Switch("uml", path, stack.enter_context(started(argv, path)))
        with contextlib.suppress(bench_lib.Skipped):
            path = folder + "/vde"
            argv = [bench_lib.need("vde_switch", "vde2"), "-s", path, "-n", "4000"]
            found["vde_switch"] = Switch("vde", path, stack.enter_context(started(argv, path + "/ctl")))
        found["relay"] = Switch("relay", "-")
        found["relay seqpacket"] = Switch("relay-seqpacket", "-")
        yield found


def turn(options, switch, size, words):
    """One run of `frames`; CPU seconds of the switch, or of the relay, are added to what it says."""
    before = switch.cpu()
    argv = [options.frames, switch.kind, switch.path, str(size), str(options.frame_seconds), *words]
    reply = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    if reply.returncode:
        raise bench_lib.Failed(f"{' '.join(argv)}: {reply.stderr.strip()}")
    got = json.loads(reply.stdout)
    return {**got, "cpu": switch.cpu() - before + got["relay_cpu"]}


def turns(options, found, size, *words):
    series = {name: [] for name in found}
    for _ in range(options.rounds):
        for name, switch in found.items():
            # Silent links cost a relay nothing: it has none.
            silent = words[0] == "many" and not switch.process
            series[name].append(turn(options, switch, size, ("many", words[2], words[2]) if silent else words))
    return series


def median(series, value, digits):
    return bench_lib.summary([value(t) for t in series], digits)["median"]


def rate_rows(series, what, size):
    rates = {name: bench_lib.summary([t["per_second"] for t in values], 0) for name, values in series.items()}
    for name, rate in rates.items():
        lost = median(series[name], lambda t: t["lost_percent"], 3)
        ours = name.startswith("umlnetd")
        yield f"{what}: {name}", rate["median"], "f/s", rate
        yield ("  lost", lost, "%", None, f"< {LOSS_TARGET}", lost < LOSS_TARGET) if ours else ("  lost", lost, "%", None)
        if all(t["received"] for t in series[name]):
            per_gb = median(series[name], lambda t: t["cpu"] * 1e9 / (t["received"] * size), 2)
            yield "  CPU, a frame", median(series[name], lambda t: 1e6 * t["cpu"] / t["received"], 2), "us", None
            yield "  CPU, a gigabyte", per_gb, "s", None
    for kind in ("", " seqpacket"):
        floor = rates["umlnetd" + kind]["median"] / max(1, rates["relay" + kind]["median"])
        yield f"{what}: umlnetd{kind} / relay{kind}", round(floor, 2), "x", None


def ratio_row(series, what):
    """The goal: two ports, and uml_switch beside us."""
    if "uml_switch" in series:
        ours, theirs = (median(series[name], lambda t: t["per_second"], 0) for name in ("umlnetd", "uml_switch"))
        ratio = round(ours / max(1, theirs), 2)
        yield f"{what}: umlnetd / uml_switch", ratio, "x", None, f">= {RATE_TARGET}", ratio >= RATE_TARGET


@contextlib.contextmanager
def one_cpu(found):
    """Switches, and what is started meanwhile: where the host puts who wakes whom is half of a round trip."""
    all_cpus = os.sched_getaffinity(0)
    pids = [0] + [switch.process.pid for switch in found.values() if switch.process]
    try:
        for pid in pids:
            os.sched_setaffinity(pid, {min(all_cpus)})
        yield
    finally:
        for pid in pids:
            os.sched_setaffinity(pid, all_cpus)


def trip_rows(series, what):
    trips = {name: bench_lib.summary([t["p50_us"] for t in values], 1) for name, values in series.items()}
    for name, trip in trips.items():
        limit = trips.get("uml_switch", {}).get("median")
        if name == "umlnetd" and limit:
            yield f"{what}: {name}", trip["median"], "us", trip, f"<= {limit}", trip["median"] <= limit
        else:
            yield f"{what}: {name}", trip["median"], "us", trip


def held_rss(options, switch, count):
    """Kilobytes of the switch while so many are connected."""
    argv = [options.frames, switch.kind, switch.path, "64", "0", "hold", str(count)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        if process.stdout.readline() != "ready\n":
            raise bench_lib.Failed(f"{' '.join(argv)}: {process.stderr.read().strip()}")
        rss = bench_lib.memory(switch.process.pid)["Rss"]
        process.communicate(timeout=60)
    return rss


def memory_rows(options):
    """New ones each time: memory that was used once is seldom given back."""
    for count in (2, 100, options.links):
        with bench_lib.scratch() as folder, switches(options, folder) as found:
            for name, switch in found.items():
                if switch.process and name != "umlnetd seqpacket":  # the process that umlnetd is
                    yield f"{count} ports: RSS of {name}", held_rss(options, switch, count), "KiB", None


def run(options):
    if not options.frames:
        raise bench_lib.Skipped("--frames is not given")
    rows = []
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # two for each port
    with bench_lib.scratch() as folder, switches(options, folder) as found:
        for size in (64, 1500):
            series = turns(options, found, size, "rate")
            rows += [*rate_rows(series, f"{size} bytes", size), *ratio_row(series, f"{size} bytes")]
        for receivers in ("8", "64"):
            series = turns(options, found, 64, "fan", receivers)
            rows += rate_rows(series, f"broadcast to {receivers}", 64)
        talking = min(TALKING, options.links)
        series = turns(options, found, 64, "many", str(options.links), str(talking))
        rows += rate_rows(series, f"{options.links} links, {talking} talk", 64)
        rows += trip_rows(turns(options, found, 64, "trip"), "round trip")
        with one_cpu(found):
            rows += trip_rows(turns(options, found, 64, "trip"), "round trip on one CPU")
    return {"rows": rows + list(memory_rows(options))}
