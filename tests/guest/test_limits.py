#!/usr/bin/env python3
"""Limits that are really held: guests that want more than they may have."""

import glob
import os
import time
import unittest

import guest_harness
from guest_harness import LIMIT, cgroups, read, until


def number(directory, *names):
    """The first number in the first of these files that is there."""
    for name in names:
        text = read(f"{directory}/{name}").split()
        if text:
            return int(text[0])
    raise AssertionError(f"none of {names} in {directory}")


class Limits(guest_harness.Case):
    @classmethod
    def setUpClass(cls):
        missing = cgroups.missing("memory", "pids", "cpu")
        if missing:
            raise unittest.SkipTest(missing)
        super().setUpClass()

    def group(self, guest, file):
        """The guest's group that has this file."""
        for directory in cgroups.of_guests(self.daemon.run):
            if f"/guest-{guest.name}." in directory and os.path.exists(f"{directory}/{file}"):
                return directory
        raise AssertionError(f"{guest.name} has no group with {file}")

    def test_a_guest_that_needs_more_memory_is_killed_and_says_why(self):
        guest = self.guest("greedy", "mem=256M", "limit:memory=64M")
        with guest.shell() as shell:
            shell.send("dd if=/dev/zero of=/tmp/full bs=1M count=200\n")
            runtime = guest.wait("exit")
        self.assertEqual(runtime["state"], "failed")
        self.assertEqual(runtime["cause"], "killed by the host: its memory limit (limit:memory) was reached")
        self.assertEqual([path for path in cgroups.of_guests(self.daemon.run) if "guest-greedy." in path], [])
        guest.start()
        self.assertFalse(guest.runtime().get("cause"))

    def test_file_pages_do_not_count_against_a_guest(self):
        """What the host caches of its disk is given back before anything is killed."""
        disk = self.daemon.file("big.img")
        os.truncate(disk, 400 << 20)
        guest = self.guest("writer", "mem=64M", "limit:memory=112M", "ubd1=" + disk)
        with guest.shell() as shell:
            shell.run("dd if=/dev/zero of=/dev/ubdb bs=1M count=300; sync; dd if=/dev/ubdb of=/dev/null bs=1M", seconds=LIMIT * 3)
        self.assertEqual(guest.runtime()["state"], "running")

    def test_a_fork_bomb_stops_at_its_limit_and_harms_nobody_else(self):
        limit = 60
        bomb, other = self.guest("bomb", f"limit:pids={limit}"), self.guest("other")
        group = self.group(bomb, "pids.max")
        with bomb.shell() as shell:
            shell.send("i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i + 1)); done; echo over-$i\n")
            # A program needs a process of its own before the shell's copy ends: refused, it leaves the group below its limit.
            until(lambda: int(read(f"{group}/pids.events").split()[1]) > 0, "a refusal of the host's kernel")
            self.assertLessEqual(number(group, "pids.current"), limit)
            self.assertLessEqual(len(bomb.processes()), limit)
        with other.shell() as shell:
            shell.run("sleep 0 & wait; /bin/true")
        self.daemon.ctl("kill", "bomb")
        self.assertEqual(bomb.runtime()["state"], "stopped")

    def test_a_busy_guest_gets_its_share_of_a_cpu(self):
        guest = self.guest("busy", "limit:cpu=25%")
        group = self.group(guest, "cpu.stat")

        def used():
            return sum(sum(map(int, read(path).rsplit(b")", 1)[1].split()[11:13])) for pid in guest.processes()
                       for path in glob.glob(f"/proc/{pid}/task/*/stat") if read(path)) / os.sysconf("SC_CLK_TCK")

        def throttled():
            return int(dict(line.split() for line in read(f"{group}/cpu.stat").decode().splitlines())["nr_throttled"])

        with guest.shell() as shell:
            shell.send("while :; do :; done\n")
            before, begin, was = used(), time.monotonic(), throttled()
            until(lambda: throttled() > was + 10, "it is held back")
            until(lambda: time.monotonic() - begin > 3, "some time")
            share = (used() - before) / (time.monotonic() - begin)
        self.assertLess(share, 0.35)

    @unittest.skipIf(cgroups.missing("io"), cgroups.missing("io"))
    def test_a_disk_is_read_no_faster_than_allowed(self):
        disk = self.daemon.file("slow.img", os.urandom(6 << 20))
        fd = os.open(disk, os.O_RDWR)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        guest = self.guest("slow", "ubd1r=" + disk, "limit:io=1M")
        with guest.shell() as shell:
            begin = time.monotonic()
            shell.run("dd if=/dev/ubdb of=/dev/null bs=256k count=24", seconds=LIMIT)
        self.assertGreater(time.monotonic() - begin, 4)


class Apart(Limits):
    """System mode, umld without any right: the groups were made over to it."""

    user = "daemon"

    def test_without_a_word_memory_and_processes_are_bounded_and_boots_are_not_affected(self):
        guest = self.guest("plain", "mem=64M")
        self.assertEqual(number(self.group(guest, "pids.max"), "pids.max"), 1280)
        group = self.group(guest, "memory.stat")
        limit = number(group, "memory.limit_in_bytes", "memory.max")
        self.assertEqual(limit, 208 << 20)
        with guest.shell() as shell:
            # Everything its kernel can take.
            shell.run("dd if=/dev/zero of=/tmp/full bs=1M count=100", check=False)
            shell.run("rm -f /tmp/full; i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i + 1)); done; killall sleep", check=False)
            self.assertLess(number(group, "memory.max_usage_in_bytes", "memory.peak", "memory.current"), limit * 3 // 4)
            shell.run("true")


if __name__ == "__main__":
    guest_harness.main()
