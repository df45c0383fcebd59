"""The control groups of a umld, as umld/cgroup.h lays them out, for all tests in Python."""

import os


def name(run_dir):
    """Of the group that holds those of the guests."""
    value = 2166136261
    for byte in os.fsencode(run_dir):
        value = (value ^ byte) * 16777619 & 0xffffffff
    return f"umld-{value:08x}"


def version_1(controller):
    """Our own group's directory for a controller of version 1, or None."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file:
            _, names, path = line.rstrip("\n").split(":", 2)
            if controller in names.split(","):
                directory = f"/sys/fs/cgroup/{controller}{path}".rstrip("/")
                return directory if os.path.isdir(directory) else None
    return None


def version_2():
    """The directory beside our own group of version 2, or None."""
    with open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file:
            if line.startswith("0::"):
                above = os.path.dirname(line.rstrip("\n")[3:]).rstrip("/")
                for mount in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
                    if os.path.exists(mount + above + "/cgroup.controllers"):
                        return mount + above
    return None


def places(run_dir):
    """Every directory in which this umld may keep groups of guests."""
    above = [version_1(controller) for controller in ("memory", "pids", "cpu", "blkio")] + [version_2()]
    return [f"{directory}/{name(run_dir)}" for directory in above if directory]


def of_guests(run_dir):
    """The groups of guests that are there now."""
    return [f"{place}/{entry}" for place in places(run_dir) if os.path.isdir(place)
            for entry in os.listdir(place) if entry.startswith("guest-")]


def remove(run_dir):
    """What a umld that is nobody any more, or was killed, cannot take away itself."""
    for path in of_guests(run_dir) + [place + end for place in places(run_dir) for end in ("/gate", "")]:
        if os.path.isdir(path):
            os.rmdir(path)


def missing(*controllers):
    """Why limits of these cannot be tried here, or None."""
    if os.geteuid() != 0:
        return "only root can make control groups"
    for controller in controllers:
        if not version_1("blkio" if controller == "io" else controller):
            above = version_2()
            if not above:
                return f"the host has no control groups for {controller}"
            with open(above + "/cgroup.controllers", encoding="ascii") as file:
                if controller not in file.read().split():
                    return f"the host has no control groups for {controller}"
    return None
