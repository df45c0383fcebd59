"""Limits: as words, as control groups, and refused where the host cannot hold them. What they do to a
guest is shown with real kernels (tests/guest/test_limits.py)."""
import os
import unittest

import harness
from harness import EXT4, Case, cgroups

OTHER = 65534
ALL = {"memory": "256M", "pids": "100", "cpu": "50%", "io": "10M"}


def value(directory, *names):
    """Of the first of these files that is there."""
    for name in names:
        if os.path.exists(f"{directory}/{name}"):
            with open(f"{directory}/{name}", encoding="ascii") as file:
                return file.read().strip()
    raise AssertionError(f"none of {names} in {directory}: {os.listdir(directory)}")


class Words(Case):
    def limits(self, name):
        return self.call("Guest.Get", name=name)["guest"]["definition"]["limits"]

    def test_they_come_back_as_they_were_written(self):
        self.create("web", limits=ALL)
        self.assertEqual(self.limits("web"), ALL)
        self.daemon.terminate()
        self.daemon.start()
        self.assertEqual(self.limits("web"), ALL)
        words = self.daemon.umlctl("show", "web").stdout
        for key, text in ALL.items():
            self.assertRegex(words, rf"\n  limit +{key}={text}\n")

    def test_the_command_line_writes_changes_and_removes_them(self):
        self.daemon.umlctl("create", "web", "kernel=fake", "limit:memory=1024M", "limit:cpu=150")
        self.assertEqual(self.limits("web"), {"memory": "1G", "cpu": "150%"})
        self.assertEqual(self.daemon.umlctl("config", "web", "limit:pids=64", "limit:memory=none").returncode, 0)
        self.assertEqual(self.limits("web"), {"pids": "64", "cpu": "150%"})
        self.assertEqual(self.daemon.umlctl("config", "web", "--unset", "limit:cpu").returncode, 0)
        self.assertEqual(self.limits("web"), {"pids": "64"})
        self.assertIn("already so", self.daemon.umlctl("config", "web", "limit:pids=64").stdout)

    def test_bad_ones_are_refused_when_they_are_written(self):
        for limits, text in (({"memory": "1M"}, "24M to 1T"), ({"pids": "3"}, "16 to 4194304"), ({"cpu": "x"}, "of one CPU from 1%"),
                             ({"swap": "1G"}, "limit:memory=, limit:pids=")):
            error = self.fails("InvalidValue", "Guest.Create", definition={"name": "web", "limits": limits})
            self.assertIn(text, error.hint)
        self.create("web")
        self.fails("InvalidValue", "Guest.Update", name="web", set=["limit:pids=0"])
        self.fails("NotFound", "Guest.Update", name="web", unset=["limit:pids"])
        self.assertEqual(self.daemon.umlctl("create", "other", "limit:=5").returncode, 2)


@unittest.skipIf(cgroups.missing("memory", "pids", "cpu"), cgroups.missing("memory", "pids", "cpu"))
class Held(Case):
    """User mode, but with the right to make groups."""

    def groups(self):
        return cgroups.of_guests(self.daemon.run)

    def group_of(self, pid):
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
            return file.read()

    def test_a_guest_without_limits_has_no_group(self):
        self.boot("web")
        self.assertEqual(self.groups(), [])

    def test_limits_are_written_before_the_guest_starts_and_it_is_inside(self):
        self.boot("web", limits={"memory": "256M", "pids": "100", "cpu": "50%"})
        found = {}
        for directory in self.groups():
            for key, names in (("memory", ("memory.limit_in_bytes", "memory.max")), ("pids", ("pids.max",)),
                               ("cpu", ("cpu.cfs_quota_us", "cpu.max"))):
                if any(os.path.exists(f"{directory}/{name}") for name in names):
                    found[key] = value(directory, *names)
        self.assertEqual((found["memory"], found["pids"], found["cpu"].split()[0]), (str(256 << 20), "100", "50000"))
        runtime = self.runtime("web")
        self.assertEqual(self.group_of(runtime["pid"]).count("/guest-web."), len(self.groups()))
        self.assertNotIn("/guest-web.", self.group_of(runtime["monitorPid"]), "the monitor must not suffer with its guest")
        self.call("Guest.Kill", name="web")
        self.assertEqual(self.groups(), [])

    @unittest.skipIf(cgroups.missing("io"), cgroups.missing("io"))
    def test_io_is_limited_on_the_disk_below_the_image(self):
        path = self.file("root.img", EXT4)
        self.boot("web", f"ubd0={path}", limits={"io": "10M"})
        (directory,) = self.groups()
        device = os.stat(path).st_dev
        self.assertIn(f"{os.major(device)}:{os.minor(device)} {10 << 20}", value(directory, "blkio.throttle.read_bps_device", "io.max")
                      .replace("rbps=", ""))

    def test_io_of_a_file_on_no_disk_is_refused(self):
        path = "/dev/shm/umld-test.img"
        with open(path, "wb") as file:
            file.write(EXT4)
        self.addCleanup(os.unlink, path)
        self.create("web", f"ubd0={path}", limits={"io": "10M"})
        self.assertIn("on no block device of its own", self.fails("Unsupported", "Guest.Start", name="web").message)

    def test_a_reboot_stays_inside_and_a_new_start_takes_new_limits(self):
        self.boot("web", limits={"pids": "100"})
        self.call("Guest.Reboot", name="web")
        self.assertIn("/guest-web.1\n", self.group_of(self.runtime("web")["pid"]))
        self.call("Guest.Update", name="web", set=["limit:pids=200"])
        self.call("Guest.Stop", name="web", force=True)
        self.call("Guest.Start", name="web", timeoutMs=30000)
        self.assertEqual([value(directory, "pids.max") for directory in self.groups()], ["200"])

    def test_groups_survive_kill_9_of_the_daemon_and_go_with_the_guest(self):
        self.boot("web", limits={"pids": "100"})
        self.daemon.kill()
        self.daemon.start()
        self.wait("web", "ready")
        self.assertEqual(len(self.groups()), 1)
        self.call("Guest.Kill", name="web")
        self.assertEqual(self.groups(), [])

    def test_what_a_dead_daemon_left_is_removed(self):
        self.boot("web", limits={"pids": "100"})
        self.create("idle", limits={"pids": "100"})
        (group,) = self.groups()
        stray = [group.replace("guest-web.1", name) for name in ("guest-gone.5", "guest-idle.1")]
        self.daemon.kill()
        for path in stray:
            os.mkdir(path)
        os.kill(self.monitor_of("web"), 9)
        self.daemon.start()
        self.wait("web", "exit")
        # We are the init here: the dead are in their group until they are reaped.
        harness.until(lambda: self.collect_dead() and not self.groups(), what="the groups' end")

    def collect_dead(self):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True

    def monitor_of(self, name):
        for pid in harness.descendants(os.getpid()):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if words[0].endswith(b"/umlmon") and words[1] == name.encode():
                return pid
        raise AssertionError("there is no monitor")

    def test_doctor_tells_that_all_can_be_held(self):
        check = {check["name"]: check for check in self.call("Server.Doctor")["checks"]}["limits"]
        self.assertIn(check["result"], ("ok", "note"))
        for name in ("memory", "pids", "cpu"):
            self.assertIn(name, check["text"].split("; not ")[0])


@unittest.skipIf(cgroups.missing("memory", "pids"), cgroups.missing("memory", "pids"))
class System(Case):
    daemon_options = ("--system",)

    def test_memory_and_processes_are_always_bounded(self):
        self.boot("web", "mem=64M")
        found = {}
        for directory in cgroups.of_guests(self.daemon.run):
            if os.path.exists(directory + "/pids.max"):
                found["pids"] = value(directory, "pids.max")
            if os.path.exists(directory + "/memory.stat"):
                found["memory"] = value(directory, "memory.limit_in_bytes", "memory.max")
        self.assertEqual(found, {"pids": str(1024 + 256), "memory": str((64 + 16 + 128) << 20)})

    def test_limits_of_the_definition_go_before(self):
        self.boot("web", "mem=64M", limits={"pids": "99"})
        self.assertIn("99", [value(directory, "pids.max") for directory in cgroups.of_guests(self.daemon.run)
                             if os.path.exists(directory + "/pids.max")])


@unittest.skipUnless(os.geteuid() == 0, "becoming an ordinary user needs root")
class Ordinary(Case):
    """User mode without the right to make groups."""
    kernel = False

    def setUp(self):
        super().setUp()
        self.daemon.terminate()
        for path in (self.daemon.directory, self.daemon.run, self.daemon.run + "/g", self.daemon.state, self.daemon.state + "/guests"):
            os.chown(path, OTHER, OTHER)
        for path in (self.daemon.run, self.daemon.state, self.daemon.directory):
            for name in os.listdir(path):
                os.chown(os.path.join(path, name), OTHER, OTHER, follow_symlinks=False)
        self.daemon.start(preexec=lambda: (os.setgroups([]), os.setresgid(OTHER, OTHER, OTHER), os.setresuid(OTHER, OTHER, OTHER)))
        self.register(harness.FAKE, "fake")

    def test_a_guest_that_asks_for_limits_is_not_started_without(self):
        self.create("web", limits={"memory": "100M"})
        message = self.fails("Unsupported", "Guest.Start", name="web").message
        self.assertIn("limit:memory: cannot be held", message)
        self.assertIn("limit:memory=none", message)
        self.assertEqual(self.runtime("web")["state"], "failed")
        self.call("Guest.Update", name="web", set=["limit:memory=none"])
        self.call("Guest.Start", name="web", timeoutMs=30000)

    def test_doctor_says_why(self):
        check = {check["name"]: check for check in self.call("Server.Doctor")["checks"]}["limits"]
        self.assertEqual(check["result"], "note")
        self.assertIn("can be held: none; not memory: ", check["text"])


if __name__ == "__main__":
    harness.main()
