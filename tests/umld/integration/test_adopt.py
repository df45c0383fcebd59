"""UMLs that somebody started by hand: what they are as guests, and that nothing happens to them (docs/adopting.md)."""
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys

import harness
from harness import Case, until


class Adopting(Case):
    def adopt(self, name, *words):
        """Start one by hand and adopt it: (process, path, runtime)."""
        process, path = self.by_hand(name, *words)
        return process, path, self.call("Guest.Adopt", name=name, socket=path)["guest"]["runtime"]

    def types(self, name):
        return [event["type"] for event in self.events() if event["object"] == name]

    def ended(self, name):
        return [event["data"] for event in self.events() if event["object"] == name and event["type"] == "guest.ended"]


class Life(Adopting):
    def test_it_is_a_guest_like_any_other_but_marked(self):
        process, path, runtime = self.adopt("web", "mem=128M", "ubd0=/dev/null", "con1=pts:/dev/pts/77")
        self.assertEqual((runtime["state"], runtime["want"], runtime["ready"], runtime["pid"]),
                         ("running", "up", True, process.pid))
        self.assertEqual(runtime["adopted"]["socket"], path)
        self.assertEqual(runtime["adopted"]["uid"], os.getuid())
        self.assertIn("6.1.176", runtime["adopted"]["version"])
        devices = runtime["adopted"]["devices"]
        self.assertEqual((devices["ubd0"], devices["con0"]), ("/dev/null", "null,fd:1"))
        self.assertNotIn("con7", devices)
        self.assertEqual(runtime["memory"], 128 << 20)
        guest = self.call("Guest.List")["guests"][0]
        self.assertEqual(guest["definition"]["kernel"], harness.FAKE)
        self.assertEqual(guest["definition"]["owner"], os.getuid())
        self.assertEqual(self.types("web").count("guest.adopted"), 1)
        self.assertIn("6.1.176", self.call("Guest.Mconsole", name="web", command="version")["text"])
        self.assertIn("adopted", self.call("Guest.Explain", name="web")["text"])
        # When it was started, not when it was adopted.
        self.assertLess(runtime["startedAt"], guest["createdAt"])

    def test_its_terminals_are_named_and_its_other_consoles_are_not_ours(self):
        self.adopt("web", "con1=pts:/dev/pts/77")
        self.assertEqual([(c["device"], c["path"]) for c in self.call("Console.List", name="web")["consoles"]],
                         [("con1", "/dev/pts/77")])
        for device, said in (("con1", "/dev/pts/77"), ("con0", "umld did not start")):
            run = self.daemon.umlctl("console", "web", device)
            self.assertEqual(run.returncode, 3, run.stderr)
            self.assertIn(said, run.stderr)

    def test_pause_and_resume(self):
        self.adopt("web")
        self.assertEqual(self.call("Guest.Pause", name="web")["state"], "paused")
        self.assertEqual(self.call("Guest.Resume", name="web")["state"], "running")

    def test_a_reboot_is_seen(self):
        process, _, _ = self.adopt("web")
        self.call("Guest.Reboot", name="web")
        runtime = self.runtime("web")
        self.assertEqual((runtime["state"], runtime["bootNumber"], runtime["pid"]), ("running", 2, process.pid))
        self.assertIn("guest.rebooted", self.types("web"))
        self.assertIn("6.1.176", self.call("Guest.Mconsole", name="web", command="version")["text"])
        # And one that nobody asked umld for.
        self.call("Guest.Mconsole", name="web", command="reboot")
        until(lambda: self.runtime("web")["bootNumber"] == 3, what="the third boot")

    def test_stop_goes_down_the_ladder_and_the_exit_status_is_not_invented(self):
        process, path, _ = self.adopt("web")
        self.assertEqual(self.call("Guest.Stop", name="web")["how"], "shutdown")
        self.assertEqual(process.wait(harness.LIMIT), 0)
        runtime = self.runtime("web")
        self.assertEqual(runtime["state"], "stopped")
        self.assertNotIn("exitStatus", runtime)
        self.assertNotIn("exitSignal", runtime)
        self.assertIn("exitedAt", runtime)
        self.assertFalse(os.path.exists(path))

    def test_stop_of_one_that_ignores_it_gets_to_the_halt(self):
        self.set(stop_seconds=1)
        process, _, _ = self.adopt("web", "fake=ignorecad")
        self.assertEqual(self.call("Guest.Stop", name="web")["how"], "halted")
        self.assertEqual(process.wait(harness.LIMIT), 0)

    def test_stop_of_one_that_reboots_instead_halts_it(self):
        process, _, _ = self.adopt("web", "fake=cadreboot")
        self.assertEqual(self.call("Guest.Stop", name="web")["how"], "rebooted")
        self.assertEqual(process.wait(harness.LIMIT), 0)

    def test_kill(self):
        process, _, _ = self.adopt("web", "fake=ignorecad,ignorehalt")
        self.assertEqual(self.call("Guest.Kill", name="web")["state"], "stopped")
        self.assertEqual(process.wait(harness.LIMIT), -signal.SIGKILL)

    def test_an_end_that_nobody_asked_for_is_told_without_a_status(self):
        for name, way in (("halts", "halt"), ("dies", None)):
            process, _, _ = self.adopt(name)
            if way:
                self.call("Guest.Mconsole", name=name, command=way)
            else:
                process.kill()
            runtime = self.wait(name, "state=stopped")
            self.assertEqual(runtime["want"], "down")
            self.assertIn("known to its parent only", runtime["cause"])
            self.assertIn("known to its parent only", self.ended(name)[0]["cause"])
            self.assertNotIn("exitStatus", runtime)
            exited = [e["data"] for e in self.events() if e["object"] == name and e["type"] == "guest.exited"]
            self.assertEqual(exited, [{"boot": "1"}])
            process.wait(harness.LIMIT)

    def test_its_kernel_is_pinged(self):
        self.set(hang_seconds=2)
        process, _, _ = self.adopt("web")
        until(lambda: self.runtime("web").get("watch") == "responsive", what="an answer")
        process.send_signal(signal.SIGSTOP)
        until(lambda: self.runtime("web").get("watch") == "hung", what="the hang")
        process.send_signal(signal.SIGCONT)
        until(lambda: self.runtime("web").get("watch") == "responsive", what="an answer")


class Removing(Adopting):
    def test_remove_lets_it_go_and_it_can_be_adopted_again(self):
        process, path, _ = self.adopt("web")
        monitor = self.runtime("web")["monitorPid"]
        self.assertTrue(self.call("Guest.Remove", name="web")["changed"])
        self.fails("NotFound", "Guest.Get", name="web")
        self.assertEqual(self.guest_directories(), [])
        until(lambda: monitor not in harness.descendants(os.getpid()), what="the end of its monitor")
        self.assertIsNone(process.poll())
        again = self.call("Guest.Adopt", name="front", socket=path)["guest"]["runtime"]
        self.assertEqual((again["pid"], again["state"]), (process.pid, "running"))

    def test_a_paused_one_stays_paused(self):
        process, path, _ = self.adopt("web")
        self.call("Guest.Pause", name="web")
        self.call("Guest.Remove", name="web")
        self.assertIsNone(process.poll())
        # Nobody can ask it whether it is paused: that it was not told to go on shows in `go` succeeding.
        self.call("Guest.Adopt", name="web", socket=path)
        self.assertEqual(self.call("Guest.Mconsole", name="web", command="go")["status"], 0)

    def test_remove_with_force_kills_it(self):
        process, _, _ = self.adopt("web")
        self.call("Guest.Remove", name="web", force=True)
        self.assertEqual(process.wait(harness.LIMIT), -signal.SIGKILL)

    def test_a_dry_remove_changes_nothing(self):
        self.adopt("web")
        self.assertTrue(self.call("Guest.Remove", name="web", dryRun=True)["changed"])
        self.assertEqual(self.runtime("web")["state"], "running")

    def test_one_that_is_let_go_is_not_started_beside_itself(self):
        """Its monitor hangs: it is let go for that, and not killed."""
        process, _, runtime = self.adopt("web")
        self.daemon.kill()
        os.kill(runtime["monitorPid"], signal.SIGSTOP)
        self.daemon.start()
        runtime = self.wait("web", "state=stopped")
        self.assertIn("runs on", runtime["cause"])
        self.assertIsNone(process.poll())
        self.assertIn("still runs", self.fails("Conflict", "Guest.Start", name="web").message)
        process.kill()
        process.wait(harness.LIMIT)


class Survival(Adopting):
    def test_it_is_found_again_after_the_daemon_was_killed(self):
        process, _, before = self.adopt("web")
        self.daemon.kill()
        self.daemon.start()
        after = self.wait("web", "state=running")
        for key in ("pid", "monitorPid", "bootNumber", "startedAt", "adopted"):
            self.assertEqual(after[key], before[key])
        self.assertEqual(self.call("Guest.Stop", name="web")["how"], "shutdown")
        self.assertEqual(process.wait(harness.LIMIT), 0)

    def test_paused_and_being_stopped_are_carried_on(self):
        self.adopt("paused")
        self.call("Guest.Pause", name="paused")
        process, _, _ = self.adopt("stopping", "fake=ignorecad")
        client = self.client()
        client.send("Guest.Stop", {"name": "stopping"})
        until(lambda: self.runtime("stopping")["state"] == "stopping", what="the stop")
        self.daemon.kill()
        self.daemon.start()
        self.wait("paused", "state=paused")
        self.call("Guest.Kill", name="stopping")
        process.wait(harness.LIMIT)

    def test_its_end_while_no_daemon_was_there_is_told(self):
        process, _, before = self.adopt("web")
        self.daemon.kill()
        process.kill()
        process.wait(harness.LIMIT)
        os.waitpid(before["monitorPid"], 0)  # an orphan, and so ours
        self.daemon.start()
        runtime = self.wait("web", "state=stopped")
        self.assertIn("known to its parent only", runtime["cause"])
        self.assertNotIn("exitStatus", runtime)

    def test_another_monitor_comes_for_one_that_died(self):
        process, _, before = self.adopt("web")
        os.kill(before["monitorPid"], signal.SIGKILL)
        after = until(lambda: (r := self.runtime("web"))["monitorPid"] != before["monitorPid"] and r, what="another monitor")
        self.assertEqual((after["state"], after["pid"], after["bootNumber"]), ("running", process.pid, 1))
        self.call("Guest.Reboot", name="web")
        self.call("Guest.Kill", name="web")
        self.assertEqual(process.wait(harness.LIMIT), -signal.SIGKILL)

    def test_monitors_that_keep_dying_are_not_replaced_for_ever(self):
        process, _, runtime = self.adopt("web")
        monitors = []
        while runtime["state"] == "running":
            monitors.append(runtime["monitorPid"])
            os.kill(monitors[-1], signal.SIGKILL)
            runtime = until(lambda: (r := self.runtime("web"))["state"] in ("running", "failed") and
                            r.get("monitorPid") != monitors[-1] and r, what="another monitor, or none")
        self.assertEqual((len(monitors), runtime["state"]), (5, "failed"))
        self.assertIsNone(process.poll())
        process.kill()

    def test_both_daemon_and_monitor_died(self):
        process, _, before = self.adopt("web")
        self.daemon.kill()
        os.kill(before["monitorPid"], signal.SIGKILL)
        self.daemon.start()
        after = self.wait("web", "state=running")
        self.assertEqual(after["pid"], process.pid)
        self.assertNotEqual(after["monitorPid"], before["monitorPid"])

    def change(self, text, *values):
        with sqlite3.connect(os.path.join(self.daemon.state, "umld.db")) as db:
            db.execute(text, values)

    def test_a_process_with_its_number_is_not_taken_for_it(self):
        process, _, before = self.adopt("web")
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        self.daemon.kill()
        os.kill(before["monitorPid"], signal.SIGKILL)
        process.kill()
        process.wait(harness.LIMIT)
        self.change("UPDATE stranger SET pid = ?", other.pid)  # and its start time is another
        self.daemon.start()
        runtime = self.wait("web", "state=failed")
        self.assertEqual(runtime["cause"], "monitor died")
        self.assertIsNone(other.poll())
        self.daemon.end_guests()
        other.kill()
        other.wait(harness.LIMIT)

    def test_one_that_is_in_no_database_is_left_alone(self):
        process, path, before = self.adopt("web")
        self.daemon.kill()
        self.change("DELETE FROM guest")
        self.daemon.start()
        until(lambda: not self.guest_directories(), what="its run directory removed")
        os.waitpid(before["monitorPid"], 0)  # an orphan, and so ours
        self.assertIsNone(process.poll())
        self.call("Guest.Adopt", name="web", socket=path)


class Starting(Adopting):
    def test_after_its_end_umld_starts_it_as_its_own(self):
        disk = self.file("disk", harness.EXT4)
        self.adopt("web", "mem=96M", "ubd0d=disk", "root=/dev/ubda")
        self.call("Guest.Stop", name="web")
        definition = self.call("Guest.Get", name="web")["guest"]["definition"]
        self.assertEqual(definition["devices"], ["con0=null,fd:1", "mem=96M", f"ubd0d={disk}"])
        self.assertEqual(definition["cmdline"], ["root=/dev/ubda"])
        self.call("Guest.Update", name="web", unset=["con0"])
        self.call("Guest.Start", name="web")
        runtime = self.runtime("web")
        self.assertEqual((runtime["state"], runtime["bootNumber"]), ("running", 2))
        self.assertNotIn("adopted", runtime)
        self.call("Guest.Kill", name="web")
        self.assertEqual(self.runtime("web")["exitSignal"], 9)

    def test_what_umld_cannot_start_is_said_and_refused_until_it_is_changed(self):
        _, _, runtime = self.adopt("web", "con1=xterm")
        self.assertIn("con1=xterm", runtime["adopted"]["whyNot"])
        self.call("Guest.Stop", name="web")
        for dry in (True, False):
            self.assertIn("con1=xterm", self.fails("BadConfig", "Guest.Start", name="web", dryRun=dry).message)
        self.call("Guest.Update", name="web", set=["con0=managed"])
        self.call("Guest.Start", name="web")
        self.assertEqual(self.runtime("web")["state"], "running")

    def test_restart_always_starts_it_again(self):
        process, _, _ = self.adopt("web")
        self.call("Guest.Update", name="web", set=["restart=always", "con0=managed"])
        process.kill()
        process.wait(harness.LIMIT)
        until(lambda: (r := self.runtime("web"))["state"] == "running" and "adopted" not in r, what="the next start")

    def test_its_disks_are_in_use(self):
        disk = self.file("disk", harness.EXT4)
        self.adopt("web", f"ubd0d={disk}")
        self.create("two", f"ubd0d={disk}")
        self.assertIn("web", self.fails("Conflict", "Guest.Start", name="two").message)


class Refused(Adopting):
    """And nothing is left of the try: no guest, no process, no directory."""

    def refused(self, error, path, name="web", **more):
        found = self.fails(error, "Guest.Adopt", name=name, socket=path, **more)
        self.assertEqual([g["definition"]["name"] for g in self.call("Guest.List")["guests"] if g["runtime"].get("adopted")],
                         self.adopted)
        return found

    adopted = []

    def fake_socket(self, pid):
        folder = os.path.join(self.daemon.directory, "uml", "liar")
        os.makedirs(folder)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        s.bind(os.path.join(folder, "mconsole"))
        if pid is not None:
            with open(os.path.join(folder, "pid"), "w", encoding="ascii") as file:
                file.write(f"{pid}\n")
        return s, os.path.join(folder, "mconsole")

    def test_what_is_no_socket(self):
        self.refused("NotFound", os.path.join(self.daemon.directory, "none", "mconsole"))
        self.refused("InvalidValue", self.file("mconsole"))
        self.refused("InvalidParameter", "mconsole")

    def test_a_socket_that_its_kernel_left_behind(self):
        process, path = self.by_hand("web")
        process.kill()
        process.wait(harness.LIMIT)
        self.assertIn("is not this kernel", self.refused("NotFound", path).message)

    def test_a_pid_file_that_lies(self):
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        _, path = self.fake_socket(other.pid)
        self.assertIn("is not this kernel", self.refused("NotFound", path).message)
        self.assertIsNone(other.poll())
        other.kill()
        other.wait(harness.LIMIT)

    def test_no_pid_file_and_nonsense_in_one(self):
        _, path = self.fake_socket(None)
        self.assertIn('"pid"', self.refused("NotFound", path).message)
        for text in ("", "-1", "0", "x", "99999999999"):
            with open(os.path.join(os.path.dirname(path), "pid"), "w", encoding="ascii") as file:
                file.write(text)
            self.refused("InvalidValue", path)

    def test_one_that_does_not_answer(self):
        """The process holds the socket, and is no kernel."""
        _, path = self.fake_socket(os.getpid())
        self.assertIn("does not answer", self.refused("GuestUnresponsive", path).message)
        process, path = self.by_hand("web", "fake=silent")
        self.refused("GuestUnresponsive", path)
        process.kill()
        process.wait(harness.LIMIT)

    def test_one_that_dies_meanwhile(self):
        process, path = self.by_hand("web", "fake=slow=2000")
        client = self.client()
        client.send("Guest.Adopt", {"name": "web", "socket": path})
        self.call("Server.Ping")
        process.kill()
        process.wait(harness.LIMIT)
        self.assertIn(client.receive()["error"].rsplit(".", 1)[-1], ("NotRunning", "GuestUnresponsive"))
        self.assertEqual(self.call("Guest.List")["guests"], [])

    def test_a_name_that_is_taken(self):
        self.create("web")
        process, path = self.by_hand("web")
        self.assertIn("taken", self.refused("Exists", path).message)
        self.assertIsNone(process.poll())
        process.kill()
        process.wait(harness.LIMIT)

    def test_one_that_is_adopted_already(self):
        _, path, _ = self.adopt("web")
        self.adopted = ["web"]
        self.assertIn('guest "web"', self.refused("Conflict", path, "other").message)
        link = os.path.join(self.daemon.directory, "link")
        os.symlink(os.path.dirname(path), link)
        self.refused("Conflict", link + "/mconsole", "other")
        self.assertFalse(self.call("Guest.Adopt", name="web", socket=path)["changed"])

    def test_two_at_once_make_one_guest(self):
        _, path = self.by_hand("web")
        clients = [self.client(), self.client()]
        for client in clients:
            client.send("Guest.Adopt", {"name": "web", "socket": path})
        self.assertEqual(sorted(client.reply()["parameters"]["changed"] for client in clients), [False, True])
        self.assertEqual(len(self.call("Guest.List")["guests"]), 1)

    def test_a_guest_of_umld(self):
        self.boot("own")
        self.refused("Conflict", os.path.join(self.daemon.run, "g", "own", "in", "uml", "mconsole"))

    def test_a_path_that_is_longer_than_a_socket_address(self):
        """The kernel was told a relative one."""
        folder = os.path.join(self.daemon.directory, "a" * 90, "b" * 90)
        os.makedirs(folder)
        process, _ = self.by_hand("web", folder=folder)
        path = os.path.join(folder, "web", "mconsole")
        runtime = self.call("Guest.Adopt", name="web", socket=path)["guest"]["runtime"]
        self.assertEqual(runtime["pid"], process.pid)
        self.call("Guest.Reboot", name="web")
        self.adopted = ["web"]

    def test_a_path_through_a_link_is_where_it_leads(self):
        _, path = self.by_hand("web")
        link = os.path.join(self.daemon.directory, "link")
        os.symlink(os.path.dirname(path), link)
        runtime = self.call("Guest.Adopt", name="web", socket=link + "/mconsole")["guest"]["runtime"]
        self.assertEqual(runtime["adopted"]["socket"], path)
        self.call("Guest.Reboot", name="web")


class OtherUsers(Case):
    """An umld of an ordinary user, and a UML that is not his."""

    kernel = False
    USER = 12347

    def prepare(self):
        if os.getuid() != 0:
            self.skipTest("only root can be two users")
        self.daemon.copy_programs()
        self.daemon.program = os.path.join(self.daemon.directory, "umld")
        shutil.copy(harness.UMLD, self.daemon.program)
        os.chown(self.daemon.directory, self.USER, self.USER)

    def setUp(self):
        start = harness.Daemon.start

        def start_as_user(daemon, *more, preexec=None):
            return start(daemon, *more, preexec=lambda: (os.setgroups([]), os.setgid(self.USER), os.setuid(self.USER)))
        harness.Daemon.start = start_as_user
        try:
            super().setUp()
        finally:
            harness.Daemon.start = start

    def test_it_is_refused_by_whose_it_is(self):
        process, path = self.by_hand("web")
        error = self.fails("Denied", "Guest.Adopt", name="web", socket=path)
        self.assertIn("uid 0", error.message)
        self.assertEqual(self.call("Guest.List")["guests"], [])
        self.assertIsNone(process.poll())
        os.chmod(os.path.dirname(path), 0o700)
        self.fails("Denied", "Guest.Adopt", name="web", socket=path)
        process.kill()
        process.wait(harness.LIMIT)


class SystemMode(Case):
    """An umld that root has started and that is root no more: what its user started is his, and nobody else's is."""

    USER = 65534
    kernel = False
    daemon_options = ("--system", "--guest-uids", "700000-700063", "--user", pwd.getpwuid(USER).pw_name)

    def prepare(self):
        if os.getuid() != 0:
            self.skipTest("only root can be two users")
        self.daemon.copy_programs()
        self.program = shutil.copy(harness.FAKE, self.daemon.directory)

    def hand(self, umid, user):
        folder = os.path.join(self.daemon.directory, umid + ".d")
        os.mkdir(folder)
        os.chown(folder, user, user)
        return self.by_hand(umid, folder=folder, program=self.program, user=user)

    def test_whose_umls_it_takes(self):
        for user in (0, 700001):
            process, path = self.hand(f"of{user}", user)
            self.assertIn(f"uid {user}", self.fails("Denied", "Guest.Adopt", name="web", socket=path).message)
            self.assertIsNone(process.poll())
            process.kill()
            process.wait(harness.LIMIT)
        process, path = self.hand("own", self.USER)
        runtime = self.call("Guest.Adopt", name="own", socket=path)["guest"]["runtime"]
        self.assertEqual((runtime["state"], runtime["adopted"]["uid"]), ("running", self.USER))
        self.assertNotIn("uid", runtime)  # the number it has as a guest is not that of its process
        self.call("Guest.Kill", name="own")
        self.assertEqual(process.wait(harness.LIMIT), -signal.SIGKILL)


if __name__ == "__main__":
    harness.main()
