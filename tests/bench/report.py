"""JSON for machines, a table for people, and what the machine was."""

import os
import platform
import subprocess


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    kernel = subprocess.run(["linux.uml", "--version"], capture_output=True, text=True, check=False).stdout.strip() \
        if any(os.access(os.path.join(p, "linux.uml"), os.X_OK) for p in os.environ["PATH"].split(":")) else ""
    return {
        "cpu": model,
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
        "host_kernel": platform.release(),
        "uml_kernel": kernel,
        "load": [round(x, 2) for x in os.getloadavg()],
    }


def row(values):
    """(what, value, unit, details, target, met): the last three may be missing."""
    what, value, unit, details, target, met = (*values, None, None, None)[:6]
    return {"what": what, "value": value, "unit": unit, "details": details, "target": target, "met": met}


def line(r):
    spread = ""
    if r["details"]:
        spread = "n={n} min {min} p90 {p90} max {max}".format(**r["details"])
    mark = "" if r["met"] is None else ("ok" if r["met"] else "MISSED")
    return f"  {r['what']:<46} {r['value']!s:>10} {r['unit']:<5} {r['target'] or '':<10} {mark:<7} {spread}".rstrip()


def print_result(name, result):
    print(f"{name}  (load {result['load'][0]} at its start, {result['seconds']} s)")
    if "skipped" in result:
        print("  skipped: " + result["skipped"])
    if "failed" in result:
        print("  FAILED: " + result["failed"])
    for r in result.get("rows", []):
        print(line(r))
    print(flush=True)
