"""Guests outside the sandbox, where uml_mconsole reaches them: real ones while the memory suffices, else fakes."""

import bench_lib
import fake

EACH_MIB, SPARE_MIB = 48, 1024  # what a guest with mem=40M takes at most, and what the host keeps


def available_mib():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) >> 10 for line in file if line.startswith("MemAvailable:"))


def define(options, d, image, names, real):
    for name in names:
        if real:
            bench_lib.fresh_disk(image, f"{d.folder}/{name}.img")
            d.create(name, "mem=40M", f"ubd0={d.folder}/{name}.img", sandbox=False)
        else:
            d.create(name, "mem=32M", kernel=fake.kernel(options, d.folder), sandbox=False)


def running(options, d, image, count):
    """(what they are, names): count guests are ready; those that are there already stay."""
    known = set(d.names)
    have = [name for name in d.names if name.startswith("g")]
    real = available_mib() >= (count - len(have)) * EACH_MIB + SPARE_MIB
    names = [f"{'g' if real else 'f'}{i}" for i in range(count)]
    define(options, d, image, [name for name in names if name not in known], real)
    if real:
        d.start_real(names)
    else:
        d.batches("start", names)
    return f"{'real' if real else 'fake'} guest{'s' * (count > 1)}", names
