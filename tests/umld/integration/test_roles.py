"""Who may do what: root and the daemon's user all, an owner his guest, others look."""
import os
import pwd
import shutil
import unittest

import harness
from harness import Case, Client, Error

OTHER, STRANGER = 65534, 65533


def as_user(uid, work):
    """Run work() in a child of that uid; its result as text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = "?"
        try:
            os.close(reader)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            text = work()
        except Error as error:
            text = f"{error.name}: {error.parameters.get('message')}"
        except BaseException as problem:  # pylint: disable=broad-except
            text = repr(problem)
        finally:
            os.write(writer, str(text).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        text = file.read().decode()
    os.waitpid(pid, 0)
    return text


@unittest.skipUnless(os.geteuid() == 0, "changing users needs root")
class Roles(Case):
    daemon_options = ("--system",)

    def prepare(self):
        os.chmod(self.daemon.directory, 0o755)

    def attempt(self, uid, method, /, **parameters):
        def work():
            with Client(self.daemon.api) as client:
                client.call(method, parameters)
                return "done"
        return as_user(uid, work)

    def test_everybody_may_look(self):
        self.create("web", owner=OTHER)
        for method, parameters in (("Server.Ping", {}), ("Guest.List", {}), ("Guest.Get", {"name": "web"}),
                                   ("Kernel.List", {}), ("Job.List", {}), ("Server.Settings", {})):
            self.assertEqual(self.attempt(STRANGER, method, **parameters), "done", method)

    def test_an_owner_may_run_his_guest_and_others_may_not(self):
        self.create("web", owner=OTHER)
        verbs = ("Start", "Pause", "Resume", "Reboot", "Stop")
        for verb in verbs:
            self.assertIn("Denied", self.attempt(STRANGER, f"Guest.{verb}", name="web"), verb)
        for verb in verbs:
            self.assertEqual(self.attempt(OTHER, f"Guest.{verb}", name="web"), "done", verb)

    def test_who_may_not_read_a_console_may_not_guess_at_it_either(self):
        self.boot("web", owner=OTHER)
        for condition in ("console=/fake/", "console>/fake/"):
            self.assertIn("Denied", self.attempt(STRANGER, "Guest.Wait", name="web", condition=condition))
            self.assertIn("Denied", self.attempt(STRANGER, "Guest.Wait", name="web", condition="exit", others=[condition]))
        self.assertEqual(self.attempt(OTHER, "Guest.Wait", name="web", condition="console=/fake/"), "done")
        self.assertEqual(self.attempt(STRANGER, "Guest.Wait", name="web", condition="ready"), "done")

    def test_an_owner_may_not_give_his_guest_files_of_others(self):
        self.create("web", owner=OTHER)
        text = self.attempt(OTHER, "Guest.Update", name="web", set=["hostfs=/root"])
        self.assertIn("Denied", text)
        self.assertEqual(self.call("Guest.Get", name="web")["guest"]["definition"]["devices"], [])

    def test_only_administrators_change_the_daemon(self):
        self.create("web", owner=OTHER)
        for method, parameters in (("Guest.Create", {"definition": {"name": "own"}}),
                                   ("Server.Set", {"name": "pinning", "value": "off"}),
                                   ("Server.SetLogLevel", {"level": "debug"}), ("Server.Shutdown", {}),
                                   ("Kernel.Add", {"path": harness.FAKE}), ("Kernel.Remove", {"name": "web"}),
                                   ("Image.Build", {"kind": "busybox"}), ("Image.Remove", {"name": "web"}),
                                   ("Job.Cancel", {"id": "1"})):
            self.assertIn("Denied", self.attempt(OTHER, method, **parameters), method)

    def test_an_unknown_guest_has_no_owner(self):
        self.assertIn("Denied", self.attempt(OTHER, "Guest.Start", name="nobody"))

    def test_consoles_are_the_owners(self):
        self.boot("web", owner=OTHER)
        self.assertIn("Denied", self.attempt(STRANGER, "Console.Send", name="web", data="halt\n"))
        self.assertEqual(self.attempt(OTHER, "Console.Send", name="web", data="hello\n"), "done")
        harness.until(lambda: "fake: hello" in self.log("web"), what="the echo")

    def test_the_daemons_files_are_closed_to_others(self):
        self.boot("web")
        for path in (f"{self.daemon.state}/umld.db", f"{self.daemon.state}/guests/web/log/con0.1.0.log",
                     f"{self.daemon.run}/g/web/mon", f"{self.daemon.run}/lock"):
            self.assertEqual(as_user(OTHER, lambda p=path: os.access(p, os.R_OK)), "False", path)

    def test_the_name_of_the_denied_role_is_told(self):
        self.create("web", owner=OTHER)
        self.assertIn("needs the role owner", self.attempt(STRANGER, "Guest.Start", name="web"))


@unittest.skipUnless(os.geteuid() == 0, "changing users needs root")
class UserMode(Case):
    kernel = False

    def test_other_users_cannot_even_connect(self):
        text = as_user(OTHER, lambda: Client(self.daemon.api).call("Server.Ping"))
        self.assertIn("PermissionError", text)

    def test_a_run_directory_of_somebody_else_is_refused(self):
        self.daemon.terminate()
        os.chown(self.daemon.run, OTHER, OTHER)
        with self.assertRaises(AssertionError) as caught:
            self.daemon.start()
        self.assertIn("not a directory of this user", str(caught.exception))
        os.chown(self.daemon.run, 0, 0)


@unittest.skipUnless(os.geteuid() == 0, "changing users needs root")
class Dropped(Case):
    """--system --user NAME: opened as root, served as somebody else."""
    daemon_options = ("--system", "--user", pwd.getpwuid(OTHER).pw_name)
    kernel = False

    def prepare(self):
        self.daemon.copy_programs()
        self.fake = shutil.copy(harness.FAKE, self.daemon.directory)

    def test_daemon_and_monitors_are_that_user_without_any_capability(self):
        self.register(self.fake, "fake")
        self.boot("web")
        for pid in (self.daemon.process.pid, self.runtime("web")["monitorPid"]):
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                text = file.read()
            self.assertIn(f"Uid:\t{OTHER}\t{OTHER}\t{OTHER}\t{OTHER}\n", text)
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertIn(f"{name}:\t{0:016x}\n", text)


if __name__ == "__main__":
    harness.main()
