"""Any process of a guest is killed, alone or together with others: the guest ends whole, and it is told."""
import os
import signal
import subprocess
import unittest

import world
from world import Case, alive, below, until


class Deaths(Case):
    def processes(self, name):
        """monitor, bwrap, umlinit, main; bwrap and umlinit by their place in the tree."""
        run = self.w.runtime(name)
        chain = [run["pid"]]
        while chain[-1] != run["monitorPid"]:
            chain.append(world.stat_of(chain[-1])[1])
        return {"monitor": chain[-1], "bwrap": chain[-2], "umlinit": chain[1], "main": chain[0]}

    def assert_all_gone(self, name, tree):
        until(lambda: not any(alive(pid) for pid in tree), what=f"the end of {name}")
        self.assertFalse(os.path.exists(f"{self.w.run}/g/{name}"))
        self.check_reality()

    def test_one_process_at_a_time(self):
        causes = {"monitor": "monitor died", "main": "killed by signal 9 (Killed)"}
        for victim in ("monitor", "bwrap", "umlinit", "main"):
            with self.subTest(victim=victim):
                self.w.boot(victim)
                pids = self.processes(victim)
                tree = below([pids["monitor"]]) | {pids["monitor"]}
                os.kill(pids[victim], signal.SIGKILL)
                run = self.w.wait(victim, "failed")
                if victim in causes:
                    self.assertEqual(run["cause"], causes[victim])
                self.assert_all_gone(victim, tree)
                told = [e for e in self.w.events(guest=victim) if e["type"] == "guest.failed"]
                self.assertEqual(len(told), 1)

    def test_without_a_sandbox_too(self):
        for victim in ("monitor", "umlinit", "main"):
            with self.subTest(victim=victim):
                name = "bare-" + victim
                self.w.boot(name, sandbox=False)
                pids = self.processes(name)
                tree = below([pids["monitor"]]) | {pids["monitor"]}
                os.kill(pids[victim], signal.SIGKILL)
                self.w.wait(name, "failed")
                self.assert_all_gone(name, tree)

    def test_together_with_umld(self):
        for victims in (("monitor",), ("main",), ("umlinit",), ("bwrap",), ("monitor", "main"), ("bwrap", "umlinit")):
            for umld_first in (True, False):
                with self.subTest(victims=victims, umld_first=umld_first):
                    name = "-".join(victims) + ("-1" if umld_first else "-2")
                    self.w.boot(name)
                    pids = self.processes(name)
                    tree = below([pids["monitor"]]) | {pids["monitor"]}
                    if umld_first:
                        self.w.kill()
                    for victim in victims:
                        try:
                            os.kill(pids[victim], signal.SIGKILL)
                        except ProcessLookupError:
                            self.assertNotEqual(victim, victims[0])  # the first took it along
                    if not umld_first:
                        self.w.kill()
                    self.w.start()
                    run = self.w.wait(name, "failed")
                    if "monitor" in victims:
                        self.assertEqual(run["cause"], "monitor died")
                    elif victims == ("main",):
                        self.assertEqual((run["exitSignal"], run["cause"]), (9, "killed by signal 9 (Killed)"))
                    self.assert_all_gone(name, tree)

    def test_two_guests_at_once_and_a_third_that_does_not_notice(self):
        for name in ("one", "two", "three"):
            self.w.boot(name)
        third = self.processes("three")
        os.kill(self.processes("one")["monitor"], signal.SIGKILL)
        os.kill(self.processes("two")["main"], signal.SIGKILL)
        self.assertEqual(self.w.wait("one", "failed")["cause"], "monitor died")
        self.assertEqual(self.w.wait("two", "failed")["exitSignal"], 9)
        self.assertEqual(self.processes("three"), third)
        self.w.restart()
        self.w.settled()
        self.assertEqual(self.processes("three"), third)
        self.check_reality()

    def test_a_stopped_monitor_can_be_killed_with_its_guest(self):
        self.w.boot("web")
        pids = self.processes("web")
        tree = below([pids["monitor"]]) | {pids["monitor"]}
        os.kill(pids["monitor"], signal.SIGSTOP)
        self.w.call("Guest.Kill", name="web")
        self.assert_all_gone("web", tree)

    def test_a_monitor_that_hangs_at_adoption_is_ended(self):
        self.w.boot("web")
        pids = self.processes("web")
        tree = below([pids["monitor"]]) | {pids["monitor"]}
        self.w.kill()
        os.kill(pids["monitor"], signal.SIGSTOP)
        self.w.start()
        self.assertEqual(self.w.runtime("web")["state"], "adopting")
        self.assertEqual(self.w.wait("web", "exit")["state"], "failed")
        self.assert_all_gone("web", tree)

    def test_a_monitor_that_wakes_up_in_time_is_adopted(self):
        self.w.boot("web")
        pids = self.processes("web")
        self.w.kill()
        os.kill(pids["monitor"], signal.SIGSTOP)
        self.w.start()
        self.assertEqual(self.w.runtime("web")["state"], "adopting")
        os.kill(pids["monitor"], signal.SIGCONT)
        self.w.wait("web", "running")
        self.assertEqual(self.processes("web"), pids)


@unittest.skipIf(os.geteuid(), "needs root to mount a tmpfs")
class FullDisk(Case):
    def test_the_end_of_a_guest_is_told_although_no_record_can_be_written(self):
        self.w.boot("web", "exit=3:800")
        self.w.boot("kept")
        directory = f"{self.w.state}/guests/web"
        command = ["mount", "-t", "tmpfs", "-o", "size=16k,nr_inodes=8", "none", directory]
        if subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode:
            self.skipTest("mounting is not allowed here")
        try:
            with open(directory + "/fill", "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass
            run = self.w.wait("web", "failed")
            self.assertEqual((run["exitStatus"], run["cause"]), (3, "exit status 3"))
        finally:
            subprocess.run(["umount", "-l", directory], check=True)


if __name__ == "__main__":
    world.main()
