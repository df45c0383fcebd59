"""System mode, started by root: each guest is a user of its own, and what follows from that for files."""
import json
import os
import pwd
import shutil
import socket
import sqlite3
import stat
import subprocess
import unittest

import harness
from harness import EXT4, Case

FIRST, LAST = 700000, 700063
NOBODY = pwd.getpwuid(65534).pw_name


def status(pid):
    """Fields of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return {name: value.split() for name, _, value in (line.partition(":") for line in file)}


def in_sandbox(main):
    space = os.readlink(f"/proc/{main}/ns/pid")
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.readlink(f"/proc/{name}/ns/pid") == space:
                found.append(int(name))
        except OSError:
            pass
    return found


class Uids(Case):
    daemon_options = ("--system", "--guest-uids", f"{FIRST}-{LAST}")
    kernel = False
    owner = 0

    def prepare(self):
        self.daemon.copy_programs()
        self.fake = shutil.copy(harness.FAKE, self.daemon.directory)

    def setUp(self):
        super().setUp()
        self.register(self.fake, "fake")

    def give(self, path):
        os.chown(path, self.owner, self.owner)
        return path

    def disk(self, name, mode=0o600, owner=None):
        path = self.file(name, EXT4, mode)
        os.chown(path, self.owner if owner is None else owner, self.owner if owner is None else owner)
        return path

    def entries(self, path):
        """Users with an entry of their own in the file's access control list."""
        try:
            data = os.getxattr(path, "system.posix_acl_access")
        except OSError:
            return []
        entries = [data[i:i + 8] for i in range(4, len(data), 8)]
        return [int.from_bytes(entry[4:], "little") for entry in entries if entry[0] == 2]

    # ---- who is who ----

    def test_every_process_of_a_guest_is_its_own_user_without_any_right(self):
        seen = set()
        for name in ("a", "b"):
            self.boot(name)
            runtime = self.runtime(name)
            self.assertTrue(FIRST <= runtime["uid"] <= LAST)
            seen.add(runtime["uid"])
            inside = in_sandbox(runtime["pid"])
            self.assertGreaterEqual(len(inside), 2, "umlinit and the kernel")
            for pid in inside:
                fields = status(pid)
                self.assertEqual(fields["Uid"], [str(runtime["uid"])] * 4, harness.describe(pid))
                self.assertEqual(fields["Gid"], [str(runtime["uid"])] * 4)
                self.assertEqual(fields["Groups"], [])
                self.assertEqual(fields["NoNewPrivs"], ["1"])
                for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                    self.assertEqual(int(fields[caps][0], 16), 0, caps)
            self.assertEqual(status(runtime["monitorPid"])["Uid"], [str(self.owner)] * 4)
        self.assertEqual(len(seen), 2)

    def test_the_users_of_two_guests_exist_in_namespaces_of_their_own_only(self):
        for name in ("a", "b"):
            self.boot(name)
        a, b = (self.runtime(name) for name in ("a", "b"))
        maps = {}
        for runtime in (a, b):
            with open(f"/proc/{runtime['pid']}/uid_map", encoding="ascii") as file:
                maps[runtime["uid"]] = [line.split() for line in file]
            self.assertEqual(maps[runtime["uid"]], [["0", str(self.owner), "1"], [str(runtime["uid"])] * 2 + ["1"]])
        self.assertNotEqual(*(os.readlink(f"/proc/{runtime['pid']}/ns/user") for runtime in (a, b)))

    def test_a_guest_keeps_its_user_and_no_other_gets_it(self):
        first = {name: self.create(name)["runtime"]["uid"] for name in ("a", "b", "c")}
        self.assertEqual(len(set(first.values())), 3)
        self.daemon.kill()
        self.daemon.start(*self.daemon_options)
        self.assertEqual({name: self.runtime(name)["uid"] for name in first}, first)
        self.call("Guest.Remove", name="a")
        self.assertNotIn(self.create("d")["runtime"]["uid"], first.values(), "not even one that is free")
        with sqlite3.connect(f"file:{self.daemon.state}/umld.db?mode=ro", uri=True) as db:
            self.assertEqual(dict(db.execute("SELECT name, uid FROM guest")),
                             {name: self.runtime(name)["uid"] for name in ("b", "c", "d")})

    # ---- the run directory ----

    def test_the_inner_directory_is_the_guests_and_closed_to_others(self):
        self.boot("a")
        inner, uid = f"{self.daemon.run}/g/a/in", self.runtime("a")["uid"]
        found = os.stat(inner)
        self.assertEqual((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), (uid, self.owner, 0o2770))
        above = os.stat(f"{self.daemon.run}/g/a")
        self.assertEqual((above.st_uid, stat.S_IMODE(above.st_mode)), (self.owner, 0o700))
        self.assertEqual(os.stat(f"{inner}/uml/mconsole").st_uid, uid)

    def test_whatever_the_guest_leaves_there_is_removed_with_it(self):
        self.boot("a")
        uid, inner = self.runtime("a")["uid"], f"{self.daemon.run}/g/a/in"
        for name in ("x", "x/y", "x/y/z", "u"):
            os.mkdir(f"{inner}/{name}", 0o700)
            os.chown(f"{inner}/{name}", uid, uid)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f"{inner}/x/y/socket")
        for name in ("x/y/z", "x/y", "x", "u"):
            os.chmod(f"{inner}/{name}", 0)
        self.call("Guest.Kill", name="a")
        self.assertEqual(self.guest_directories(), [])

    # ---- umld's work goes on as ever ----

    def test_mconsole_pause_reboot_and_stop(self):
        self.boot("a")
        self.assertIn("Linux", self.call("Guest.Mconsole", name="a", command="version")["text"])
        for verb, state in (("Pause", "paused"), ("Resume", "running"), ("Reboot", "running"), ("Stop", "stopped")):
            reply = self.call(f"Guest.{verb}", name="a")
            self.assertEqual((reply["changed"], reply["state"]), (True, state), verb)

    def test_kill_9_of_the_daemon_is_survived(self):
        self.boot("a")
        before = self.runtime("a")
        self.daemon.kill()
        self.daemon.start(*self.daemon_options)
        self.wait("a", "ready")
        after = self.runtime("a")
        self.assertEqual([before[key] for key in ("pid", "monitorPid", "uid", "bootNumber")],
                         [after[key] for key in ("pid", "monitorPid", "uid", "bootNumber")])
        self.assertIn("Linux", self.call("Guest.Mconsole", name="a", command="version")["text"])
        self.call("Guest.Stop", name="a")
        self.call("Guest.Start", name="a", timeoutMs=30000)

    def test_kill_9_of_a_monitor_takes_the_guest_with_it(self):
        self.boot("a")
        main = self.runtime("a")["pid"]
        os.kill(self.runtime("a")["monitorPid"], 9)
        self.assertEqual(self.wait("a", "exit")["cause"], "monitor died")
        self.assertFalse(os.path.exists(f"/proc/{main}") and status(main)["State"][0] != "Z")
        self.assertEqual(self.guest_directories(), [])

    def test_a_guest_nobody_knows_is_ended_by_the_next_daemon(self):
        self.boot("a")
        main = self.runtime("a")["pid"]
        self.daemon.kill()
        with sqlite3.connect(f"{self.daemon.state}/umld.db") as db:
            db.execute("DELETE FROM guest")
        self.daemon.start(*self.daemon_options)
        harness.until(lambda: not self.guest_directories(), what="the stranger's end")
        self.assertFalse(os.path.exists(f"/proc/{main}"))

    def test_without_a_sandbox_a_guest_is_still_its_own_user(self):
        self.boot("a", sandbox=False)
        runtime = self.runtime("a")
        self.assertEqual(status(runtime["pid"])["Uid"], [str(runtime["uid"])] * 4)
        self.assertEqual(int(status(runtime["pid"])["CapBnd"][0], 16), 0)
        self.assertIn("Linux", self.call("Guest.Mconsole", name="a", command="version")["text"])
        self.call("Guest.Kill", name="a")

    # ---- disks and shares ----

    def test_a_disk_of_umlds_user_is_opened_to_the_guest_while_it_runs(self):
        path = self.disk("web.img")
        self.boot("web", f"ubd0={path}")
        self.assertEqual(self.entries(path), [self.runtime("web")["uid"]])
        self.assertEqual(os.stat(path).st_uid, self.owner)
        self.call("Guest.Kill", name="web")
        self.assertEqual(self.entries(path), [])
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_what_was_opened_is_closed_even_if_the_daemon_was_killed_meanwhile(self):
        path = self.disk("web.img")
        self.boot("web", f"ubd0={path}")
        self.daemon.kill()
        os.kill(int(subprocess.run(["pgrep", "-f", f"umlmon web {self.daemon.run}/g/web"], capture_output=True, text=True,
                                   check=True).stdout.split()[0]), 9)
        self.daemon.start(*self.daemon_options)
        self.wait("web", "exit")
        self.assertEqual(self.entries(path), [])

    def test_a_path_that_somebody_else_could_have_led_there_opens_nothing(self):
        target = self.disk("private.img")
        for mode, owner in ((0o777, self.owner), (0o755, 12345)):
            folder = os.path.join(self.daemon.directory, f"folder{mode:o}")
            os.mkdir(folder)
            os.chmod(folder, mode)
            os.chown(folder, owner, owner)
            path = folder + "/disk.img"
            os.symlink(target, path)
            name = f"m{mode:o}"
            self.create(name, f"ubd0={path}")
            self.assertIn("cannot be written by the guest's own user", self.fails("BadConfig", "Guest.Start", name=name).message)
            self.assertEqual(self.entries(target), [])
        os.symlink(target, self.daemon.directory + "/link.img")
        self.boot("fine", f"ubd0={self.daemon.directory}/link.img")
        self.assertEqual(self.entries(target), [self.runtime("fine")["uid"]])

    def test_a_readable_base_is_left_alone(self):
        path = self.disk("base.img", 0o644)
        for name in ("a", "b"):
            self.boot(name, f"ubd0r={path}")
        self.assertEqual(self.entries(path), [])

    def test_a_disk_of_somebody_else_is_refused_with_the_remedy_which_works(self):
        path = self.disk("web.img", 0o644, owner=12345)
        uid = self.create("web", f"ubd0={path}")["runtime"]["uid"]
        error = self.fails("BadConfig", "Guest.Start", name="web")
        for text in (f"disk {path} cannot be written by the guest's own user, uid {uid}: Permission denied",
                     f"setfacl -m u:{uid}:rw {path}", f"chgrp {uid} and chmod g+rw"):
            self.assertIn(text, error.message)
        os.chown(path, 12345, uid)
        os.chmod(path, 0o664)
        self.call("Guest.Start", name="web", timeoutMs=30000)
        self.assertEqual(self.entries(path), [])

    def test_shares_are_checked_and_never_changed(self):
        shared = os.path.join(self.daemon.directory, "shared")
        os.mkdir(shared, 0o755)
        self.give(shared)
        uid = self.create("web", f"share0={shared}:/srv/shared")["runtime"]["uid"]
        error = self.fails("BadConfig", "Guest.Start", name="web")
        self.assertIn(f"cannot be written by the guest's own user, uid {uid}", error.message)
        self.assertIn(f"setfacl -m u:{uid}:rwx {shared}", error.message)
        self.assertEqual(self.entries(shared), [])
        self.call("Guest.Update", name="web", set=[f"share0={shared}:/srv/shared:ro"])
        self.call("Guest.Start", name="web", timeoutMs=30000)
        self.call("Guest.Kill", name="web")
        os.chown(shared, uid, self.owner)
        self.call("Guest.Update", name="web", set=[f"share0={shared}:/srv/shared"])
        self.call("Guest.Start", name="web", timeoutMs=30000)

    def test_a_kernel_that_others_may_not_run_is_refused(self):
        path = os.path.join(self.daemon.directory, "kernel")
        shutil.copy(harness.FAKE, path)
        self.give(path)
        self.boot("web", kernel=path)
        self.call("Guest.Kill", name="web")
        os.chmod(path, 0o700)
        error = self.fails("BadConfig", "Guest.Start", name="web")
        self.assertIn(f"chmod a+rx {path}", error.message)

    # ---- told ----

    def test_doctor_and_check_tell_the_range(self):
        checks = {check["name"]: check for check in self.call("Server.Doctor")["checks"]}
        self.assertEqual(checks["guest uids"]["result"], "ok")
        self.assertIn(f"{FIRST}-{LAST}", checks["guest uids"]["text"])
        self.daemon.end_guests()
        self.daemon.terminate()
        reply = subprocess.run(self.daemon.arguments("--check", *self.daemon_options), env=self.daemon.environment(),
                               capture_output=True, text=True, check=True)
        self.assertIn(f"guest uids      {FIRST}-{LAST}\n", reply.stdout)

    def test_show_and_the_json_of_a_guest_tell_the_user(self):
        uid = self.create("web")["runtime"]["uid"]
        self.assertRegex(self.daemon.umlctl("show", "web").stdout, rf"\n  uid +{uid}\n")
        self.assertEqual(json.loads(self.daemon.umlctl("--json", "show", "web").stdout)["guest"]["runtime"]["uid"], uid)


@unittest.skipUnless(os.geteuid() == 0, "only root can make guests other users")
class Root(Uids):
    """umld stays root."""

    def test_a_guest_from_before_there_was_a_range_gets_a_user_at_its_start(self):
        self.daemon.terminate()
        self.daemon.start()
        self.assertNotIn("uid", self.create("old")["runtime"])
        self.daemon.terminate()
        self.daemon.start(*self.daemon_options)
        self.call("Guest.Start", name="old", timeoutMs=30000)
        self.assertTrue(FIRST <= self.runtime("old")["uid"] <= LAST)


@unittest.skipUnless(os.geteuid() == 0, "only root can make guests other users")
class Dropped(Uids):
    """umld becomes somebody without any right."""

    daemon_options = (*Uids.daemon_options, "--user", NOBODY)
    owner = 65534

    def test_a_disk_that_only_root_may_read_is_no_way_around(self):
        path = self.disk("web.img", 0o600, owner=0)
        self.assertEqual(self.fails("Denied", "Guest.Create", definition={"name": "web", "kernel": "fake", "devices": [f"ubd0={path}"]},
                                    cwd="/").field, "ubd0")


@unittest.skipUnless(os.geteuid() == 0, "only root can start system mode for others")
class Refused(Case):
    """What --guest-uids cannot be."""
    kernel = False

    def run_umld(self, *words, user=None):
        return subprocess.run([self.daemon.program, "--check", "--run-dir", self.daemon.directory + "/r2",
                               "--state-dir", self.daemon.directory + "/s2", *words], env=self.daemon.environment(), capture_output=True,
                              text=True, check=False, user=user, timeout=harness.LIMIT)

    def test_bad_ranges_are_refused(self):
        for words, status_, text in ((("--guest-uids", "5-1"), 2, "is no range of users"),
                                     (("--guest-uids", "0-9"), 2, "is no range of users"),
                                     (("--guest-uids", "700000-700009"), 6, "only in system mode"),
                                     (("--system", "--guest-uids", "1-70000"), 6, "1-70000 contains user"),
                                     (("--system", "--guest-uids", "60000-70000", "--user", NOBODY), 6, "contains user nobody")):
            reply = self.run_umld(*words)
            self.assertEqual(reply.returncode, status_, reply.stderr)
            self.assertIn(text, reply.stderr)

    def test_system_mode_without_root_says_what_is_missing(self):
        os.chmod(self.daemon.directory, 0o777)
        reply = self.run_umld("--system", user=65534)
        self.assertEqual(reply.returncode, 0, reply.stderr)
        self.assertIn("all guests run as umld's own user: umld was not started by root", reply.stderr)
        self.assertIn("guest uids      umld's own\n", reply.stdout)

    def test_user_mode_is_silent_about_it(self):
        reply = self.run_umld()
        self.assertNotIn("guests run as", reply.stderr)
        self.assertEqual({check["name"]: check["result"] for check in self.call("Server.Doctor")["checks"]}["guest uids"], "note")


del Uids  # the tests of the classes above, not one of its own

if __name__ == "__main__":
    harness.main()
