"""Raw frames through one switch: umlnetd, its peers where they are installed, and a relay that reads none of them.

Turns alternate, so that each sees the same host; ratios are of medians. A sender blocks where it is made to wait, so
what is lost was lost by the switch.
"""

import contextlib
import json
import os
import select
import subprocess
import time

import bench_lib

SIZES = (64, 1500)
RATE_TARGET, LOSS_TARGET = 1.6, 0.1
TICK = os.sysconf("SC_CLK_TCK")


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
            argv = [bench_lib.need("vde_switch", "vde2"), "-s", path]
            found["vde_switch"] = Switch("vde", path, stack.enter_context(started(argv, path + "/ctl")))
        found["relay"] = Switch("relay", "-")
        found["relay seqpacket"] = Switch("relay-seqpacket", "-")
        yield found


def turn(options, switch, size, *words):
    """One run of `frames`; CPU seconds of the switch are added to what it says."""
    before = switch.cpu()
    argv = [options.frames, switch.kind, switch.path, str(size), str(options.frame_seconds), *words]
    reply = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if reply.returncode:
        raise bench_lib.Failed(f"{' '.join(argv)}: {reply.stderr.strip()}")
    return {**json.loads(reply.stdout), "cpu": switch.cpu() - before}


def turns(options, found, size, *words):
    series = {name: [] for name in found}
    for _ in range(options.rounds):
        for name, switch in found.items():
            series[name].append(turn(options, switch, size, *words))
    return series


def rate_rows(found, series, size):
    rates = {name: bench_lib.summary([t["per_second"] for t in values], 0) for name, values in series.items()}
    for name, rate in rates.items():
        lost = bench_lib.summary([t["lost_percent"] for t in series[name]], 3)["median"]
        ours = name.startswith("umlnetd")
        yield f"{size} bytes: {name}", rate["median"], "f/s", rate
        yield ("  lost", lost, "%", None, f"< {LOSS_TARGET}", lost < LOSS_TARGET) if ours else ("  lost", lost, "%", None)
        if found[name].process:
            cpu = [1e6 * t["cpu"] / max(1, t["received"]) for t in series[name]]
            yield "  CPU of the switch, a frame", bench_lib.summary(cpu, 2)["median"], "us", None
    if "uml_switch" in rates:
        ratio = round(rates["umlnetd"]["median"] / max(1, rates["uml_switch"]["median"]), 2)
        yield f"{size} bytes: umlnetd / uml_switch", ratio, "x", None, f">= {RATE_TARGET}", ratio >= RATE_TARGET
    for kind in ("", " seqpacket"):
        floor = rates["umlnetd" + kind]["median"] / max(1, rates["relay" + kind]["median"])
        yield f"{size} bytes: umlnetd{kind} / relay{kind}", round(floor, 2), "x", None


def trip_rows(series):
    trips = {name: bench_lib.summary([t["p50_us"] for t in values], 1) for name, values in series.items()}
    for name, trip in trips.items():
        limit = trips.get("uml_switch", {}).get("median")
        if name == "umlnetd" and limit:
            yield f"round trip: {name}", trip["median"], "us", trip, f"<= {limit}", trip["median"] <= limit
        else:
            yield f"round trip: {name}", trip["median"], "us", trip


def run(options):
    if not options.frames:
        raise bench_lib.Skipped("--frames is not given")
    rows = []
    with bench_lib.scratch() as folder, switches(options, folder) as found:
        for size in SIZES:
            rows += rate_rows(found, turns(options, found, size), size)
        rows += trip_rows(turns(options, found, SIZES[0], "trip"))
    return {"rows": rows}
