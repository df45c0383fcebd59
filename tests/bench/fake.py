"""Guests whose kernel is tests/fakes/fake_guest: everything around them is real."""

import os
import shutil

import bench_lib


def kernel(options, folder):
    if not options.fake_guest:
        raise bench_lib.Skipped("no --fake-guest")
    # A kernel's path is bound into the sandbox: a copy, so that it is under a directory of ours.
    path = shutil.copy(options.fake_guest, folder + "/fake_guest")
    os.chmod(path, 0o755)
    return path


def create(d, count):
    """count guests, defined and not started."""
    for i in range(count):
        d.create(f"f{i}", "mem=32M", kernel=d.fake_kernel)


def start_all(d):
    d.batches("start", d.names)
    running = d.running()
    if running != len(d.names):
        raise bench_lib.Failed(f"{running} of {len(d.names)} fake guests are running\n{d.log_tail()}")
