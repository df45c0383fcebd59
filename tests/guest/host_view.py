"""Processes as the host sees them, in /proc."""

import os
import re


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read(path):
    """Bytes of a /proc file; nothing if the process is gone."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def cmdline(pid):
    return read(f"/proc/{pid}/cmdline").decode(errors="replace").replace("\0", " ").strip()


def evidence(pid):
    """What tells whose process this is: words, environment, program."""
    return read(f"/proc/{pid}/cmdline") + read(f"/proc/{pid}/environ") + link(f"/proc/{pid}/exe").encode()


def status_fields(pid):
    """The lines of its status by name, read at once; nothing if the process is gone."""
    return dict(re.findall(r"^(\w+):[ \t]*(.*?)[ \t]*$", read(f"/proc/{pid}/status").decode(), re.M))


def status_field(pid, name):
    return status_fields(pid).get(name, "")
