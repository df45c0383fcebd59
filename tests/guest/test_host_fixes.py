#!/usr/bin/env python3
"""What umld does about faults of kernels and hosts: registers, runaway code, addresses, processors."""

import os
import re
import shutil
import signal
import subprocess
import tempfile

import guest_harness
from guest_harness import pids, read, status_field, until

RUNAWAY = "i=0; while :; do echo $i >/s/beat; echo $i >/root/beat; i=$((i + 1)); done"


class HostFixes(guest_harness.Case):
    def test_probe_proves_registers_by_experiment(self):
        kernel = self.daemon.call("io.umld.Kernel.Probe", kernel="/usr/bin/linux.uml")["kernel"]
        self.assertIn(kernel["xstate"], ("ok", "guarded"))
        self.assertTrue(kernel["usable"] and kernel["dynamic"])
        self.assertRegex(kernel["version"], r"^\d+\.\d+")
        old = tuple(int(n) for n in kernel["version"].split(".")[:2]) < (6, 13)
        self.assertEqual(kernel["guard"], old)
        self.assertGreater(kernel["lpj"], 1000)
        self.assertEqual(kernel["config"]["HOSTFS"], "y")
        self.assertIn("vector", kernel["transports"])
        listed = self.daemon.call("io.umld.Kernel.List")["kernels"]
        self.assertEqual(listed[0]["path"], os.path.realpath("/usr/bin/linux.uml"))
        table = self.daemon.ctl("kernel", "list").stdout
        self.assertIn(kernel["version"], table)
        self.assertIn(kernel["xstate"], table)

    def test_registers_are_kept_in_an_ordinary_guest_too(self):
        """2,000 faulting stores, two threads and pthread_create, beside programs that compete for the registers."""
        program = next(os.path.join(top, "umlprobe") for top, _, names in os.walk(guest_harness.BUILD) if "umlprobe" in names)
        folder = self.daemon.directory("probe")
        shutil.copy(program, folder)
        guest = self.daemon.guest("avx", f"share0={folder}:/srv/probe:ro")
        self.addCleanup(guest.remove)
        with guest.shell() as shell:
            shell.run("mount -t hostfs none /mnt -o /srv/probe; cp /mnt/umlprobe /tmp/; while :; do :; done & echo $! >/tmp/busy")
            shell.run("/tmp/umlprobe >/tmp/other & echo $! >/tmp/probe")
            for _ in range(3):
                self.assertIn("PROBE avx=0 threads=0 pthread=ok", shell.run("/tmp/umlprobe"))
            shell.run("wait $(cat /tmp/probe); kill $(cat /tmp/busy)")

    def run_away(self, *words):
        """A guest that writes without end to a share and to its disk; then main is killed alone."""
        name = f"run{len(words)}"
        folder = self.daemon.directory(name)
        disk = self.daemon.disk(name + ".img")
        place = folder if words else "/srv/out"
        guest = self.daemon.guest(name, "ubd0=" + disk, f"share0={folder}" + ("" if words else ":" + place), *words)
        self.addCleanup(guest.remove)
        shell = guest.shell()
        self.addCleanup(shell.close)
        shell.run(f"mkdir /s; mount -t hostfs none /s -o {place}")
        for _ in range(3):
            shell.send(f"({RUNAWAY}) &\n")
        beat = folder + "/beat"
        until(lambda: os.path.exists(beat), "the guest writes")
        runtime = guest.runtime()
        tree = descendants(runtime["monitorPid"])
        self.assertGreater(len(tree), 4)
        os.kill(runtime["pid"], signal.SIGKILL)
        ended = guest.wait("exit")
        self.assertEqual((ended["state"], ended["exitSignal"]), ("failed", signal.SIGKILL))
        self.assertIn("signal 9", ended["cause"])
        # Said to have ended means gone: no grace is given.
        self.assertEqual([pid for pid in tree if alive(pid)], [])
        self.assertFalse(os.path.exists(f"{self.daemon.run}/g/{name}"))
        before = (read(beat), os.stat(disk).st_mtime_ns)
        left = [pid for pid in self.daemon.processes() if f"/g/{name}/".encode() in read(f"/proc/{pid}/cmdline")]
        self.assertEqual(left, [])
        for path in ("/s", "/root/beat"):
            self.assertFalse(os.path.exists(path), "guest code ran on the host")
        self.assertEqual((read(beat), os.stat(disk).st_mtime_ns), before)
        guest.start()
        self.assertTrue(guest.runtime()["ready"], "and it can be started again at once")

    def test_main_killed_alone_sets_nothing_free(self):
        self.run_away()

    def test_main_killed_alone_sets_nothing_free_without_a_sandbox(self):
        self.run_away("sandbox=off")
        self.assertIn("guest run1: starts without a sandbox", self.daemon.messages(20000))

    def test_death_of_the_monitor_or_of_umlinit_ends_everything(self):
        for victim in ("monitor", "init"):
            guest = self.daemon.guest("victim")
            runtime = guest.runtime()
            tree = descendants(runtime["monitorPid"])
            target = runtime["monitorPid"] if victim == "monitor" else int(status_field(runtime["pid"], "PPid"))
            os.kill(target, signal.SIGKILL)
            self.assertEqual(guest.wait("exit")["state"], "failed", victim)
            until(lambda tree=tree: not any(alive(pid) for pid in tree), "all of its processes are gone")
            self.assertFalse(os.path.exists(f"{self.daemon.run}/g/victim"))
            guest.remove()

    def test_static_kernel_that_cannot_be_guarded_is_refused_with_its_reason(self):
        if not shutil.which("cc"):
            self.skipTest("no C compiler to make a static kernel of")
        folder = tempfile.mkdtemp(dir=self.daemon.files)
        source = folder + "/k.c"
        with open(source, "w", encoding="ascii") as file:
            file.write(FAKE_KERNEL)
        kernel = folder + "/static-uml"
        built = subprocess.run(["cc", "-static", "-o", kernel, source], capture_output=True, text=True, check=False)
        if built.returncode != 0:
            self.skipTest("no static C library")
        os.chmod(folder, 0o755)
        reply = self.daemon.ctl("kernel", "add", kernel, "--name", "static", check=False)
        if reply.returncode == 0:
            reply = self.daemon.ctl("create", "static", "kernel=static", check=False)
            if reply.returncode == 0:
                self.addCleanup(self.daemon.ctl, "remove", "static", check=False)
                reply = self.daemon.ctl("start", "static", check=False)
        self.assertEqual(reply.returncode, 5, reply.stderr)
        self.assertRegex(reply.stderr, "static")

    def test_pinned_guest_stays_on_one_processor(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("there is only one CPU")
        free = self.daemon.guest("free", "pinned=off")
        self.addCleanup(free.remove)
        wanted = status_field(os.getpid(), "Cpus_allowed_list")
        self.assertEqual({status_field(pid, "Cpus_allowed_list") for pid in free.processes()} - {""}, {wanted})
        guest = self.daemon.guest("pinned")
        self.addCleanup(guest.remove)
        with guest.shell() as shell:
            shell.run("for i in $(seq 20); do true | cat; done")
            cpu = guest.runtime().get("cpu")
            if cpu is None:
                self.skipTest("the host is saturated: guests are not pinned, or the balancer has released this one")
            lists = {status_field(pid, "Cpus_allowed_list") for pid in guest.processes()} - {""}
            if guest.runtime().get("cpu") != cpu:
                self.skipTest("the balancer moved the guest meanwhile")
            self.assertEqual(lists, {str(cpu)})

    def test_pinning_can_be_switched_off(self):
        self.daemon.ctl("settings", "pinning=off")
        self.addCleanup(self.daemon.ctl, "settings", "pinning=on")
        guest = self.daemon.guest("loose")
        self.addCleanup(guest.remove)
        wanted = status_field(os.getpid(), "Cpus_allowed_list")
        self.assertEqual({status_field(pid, "Cpus_allowed_list") for pid in guest.processes()} - {""}, {wanted})
        self.assertIsNone(guest.runtime().get("cpu"))

    def test_a_program_that_is_no_uml_kernel_is_refused(self):
        for path in ("/bin/true", "/etc/passwd", "/nowhere/linux"):
            reply = self.daemon.ctl("kernel", "add", path, check=False)
            self.assertNotEqual(reply.returncode, 0, path)
            self.assertIn(path.rsplit("/", 1)[1], reply.stderr)


# Says what a 6.1 kernel says; its boot does what an unguarded one does where the register area is larger.
FAKE_KERNEL = r'''
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--version"))
            return puts("6.1.99"), 0;
        if (!strcmp(argv[i], "--showconfig"))
            return puts("CONFIG_UML=y\nCONFIG_HOSTFS=y\nCONFIG_64BIT=y"), 0;
        if (!strcmp(argv[i], "--help"))
            return puts("User Mode Linux v6.1.99\n    available at http://user-mode-linux.sourceforge.net/\n"), 0;
    }
    fprintf(stderr, "userspace - ptrace set fp regs failed, errno = 14\n");
    __builtin_trap();
}
'''


def alive(pid):
    state = status_field(pid, "State")
    return bool(state) and not re.match("[ZX]", state)


def descendants(root):
    parents = {pid: status_field(pid, "PPid") for pid in pids()}
    found, todo = [root], [str(root)]
    while todo:
        above = todo.pop()
        children = [pid for pid, parent in parents.items() if parent == above]
        found += children
        todo += [str(pid) for pid in children]
    return found


if __name__ == "__main__":
    guest_harness.main()
