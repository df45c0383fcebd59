"""Definitions: what is asked for, changed, refused; nothing half-done."""
import os
import tempfile

import harness
from harness import Case


class Creating(Case):
    def refused(self, name, *devices, **fields):
        """The guest is refused with this error, and not made."""
        definition = {"name": "web", "devices": list(devices), **fields}
        error = self.fails(name, "Guest.Create", definition=definition, cwd=self.daemon.directory)
        self.assertEqual(self.call("Guest.List")["guests"], [])
        return error

    def test_device_strings_come_back_as_they_were_written(self):
        image = self.file("root.img", harness.EXT4)
        share = tempfile.mkdtemp(prefix="share", dir="/var/tmp")
        self.addCleanup(os.rmdir, share)
        words = [f"ubd0={image}", "con1=managed", "con2=null", "ssl0=none", "mem=64M", f"hostfs={share}"]
        self.create("web", *words)
        devices = self.call("Guest.Get", name="web")["guest"]["definition"]["devices"]
        self.assertEqual(devices, words)
        self.assertEqual([v["value"] for v in self.call("Guest.Config", name="web")["values"]], words)
        self.assertEqual(len(self.call("Guest.Config", name="web", device="ubd0")["values"]), 1)
        self.assertIn("umlctl config", self.fails("NotFound", "Guest.Config", name="web", device="ubd7").hint)

    def test_unknown_devices_are_refused_with_the_word(self):
        error = self.refused("InvalidValue", "udb0=root.img")
        self.assertIn("udb0", error.message + error.field + error.hint)

    def test_bad_sizes_and_macs(self):
        for word in ("mem=", "mem=12Q", "mem=-5M", "mem=99999999T", "vec0:transport=tap,mac=12:34", "eth0=tuntap,,zz:zz"):
            with self.subTest(word=word):
                self.assertIn(self.refused("InvalidValue", word).name, "InvalidValue")

    def test_missing_files(self):
        for word in ("ubd0=nothing.img", "initrd=nothing", "hostfs=/no/such/folder"):
            with self.subTest(word=word):
                error = self.refused("NotFound", word)
                self.assertIn("no", error.message.lower())

    def test_a_directory_is_no_disk(self):
        self.refused("InvalidValue", f"ubd0={self.daemon.state}")

    def test_the_same_device_twice(self):
        self.refused("InvalidValue", "mem=32M", "con1=null", "con1=null")

    def test_every_problem_is_reported_at_once(self):
        error = self.refused("InvalidValue", "mem=12Q", "udb0=x", "con1=wrong:1")
        self.assertGreaterEqual(len(error.more), 2)

    def test_names_that_do_not_fit(self):
        for name in ("", "-x", "a/b", "..", "x" * 64, "a b", "ä"):
            with self.subTest(name=name):
                definition = {"name": name}
                with self.assertRaises(harness.Error) as caught:
                    self.call("Guest.Create", definition=definition)
                self.assertIn(caught.exception.name, ("InvalidParameter", "InvalidValue"))

    def test_a_taken_name(self):
        self.create("web")
        error = self.fails("Exists", "Guest.Create", definition={"name": "web"})
        self.assertIn("umlctl remove web", error.hint)
        self.fails("Exists", "Guest.Create", definition={"name": "web"}, dryRun=True)

    def test_relative_paths_need_a_folder_to_start_from(self):
        self.file("root.img", harness.EXT4)
        self.fails("InvalidValue", "Guest.Create", definition={"name": "web", "devices": ["ubd0=root.img"]})
        self.create("web", "ubd0=root.img")
        devices = self.call("Guest.Get", name="web")["guest"]["definition"]["devices"]
        self.assertEqual(devices, [f"ubd0={self.daemon.directory}/root.img"])

    def test_a_dry_run_makes_nothing(self):
        reply = self.call("Guest.Create", definition={"name": "web", "devices": ["mem=64M"]}, dryRun=True)
        self.assertTrue(reply["changed"])
        self.assertEqual(self.call("Guest.List")["guests"], [])
        self.assertEqual(self.events(types=["guest.defined"]), [])

    def test_a_request_id_makes_a_repetition_harmless(self):
        definition = {"name": "web", "devices": ["mem=64M"]}
        first = self.call("Guest.Create", definition=definition, requestId="r1")
        self.assertEqual(self.call("Guest.Create", definition=definition, requestId="r1"), first)
        error = self.fails("Conflict", "Guest.Create", definition={"name": "other"}, requestId="r1")
        self.assertIn("requestId", error.field)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.call("Guest.Create", definition=definition, requestId="r1"), first)

    def test_starts_too_are_repeated_by_request_id(self):
        for wait in ("none", "ready"):
            name = f"w-{wait}"
            self.create(name)
            first = self.call("Guest.Start", name=name, wait=wait, requestId=wait)
            self.wait(name, "ready")
            self.call("Guest.Kill", name=name)
            self.assertEqual(self.call("Guest.Start", name=name, wait=wait, requestId=wait), first)
            self.assertEqual(self.runtime(name)["state"], "stopped")

    def test_the_socket_path_limit_is_told_when_the_guest_is_made(self):
        run = "/tmp/" + "r" * (60 - 5 - len(str(os.getpid()))) + str(os.getpid())
        other = harness.Daemon()
        other.run, other.api = run, run + "/api"
        self.addCleanup(lambda: (other.terminate(), os.system(f"rm -rf {run} {other.directory}")))
        other.start()
        with self.assertRaises(harness.Error) as caught:
            other.call("Guest.Create", definition={"name": "n" * 63})
        self.assertIn("the limit is 107", caught.exception.message)
        self.assertIn("shorter", caught.exception.hint)


class Starting(Case):
    def test_a_file_that_vanished_is_told_at_the_start(self):
        path = self.file("root.img", harness.EXT4)
        self.create("web", f"ubd0={path}")
        os.unlink(path)
        error = self.fails("BadConfig", "Guest.Start", name="web")
        self.assertIn("root.img", error.message)
        self.assertEqual(self.runtime("web")["state"], "failed")
        self.file("root.img", harness.EXT4)
        self.assertEqual(self.call("Guest.Start", name="web")["state"], "running")

    def test_a_kernel_that_is_none(self):
        for path in ("/bin/ls", self.file("script", b"#!/bin/sh\necho 6.1\n", 0o755), "/etc/passwd"):
            with self.subTest(path=path):
                name = os.path.basename(path)
                self.create(name, kernel=path)
                self.fails("BadConfig", "Guest.Start", name=name)
                self.assertEqual([k["name"] for k in self.call("Kernel.List")["kernels"]], ["fake"])

    def test_a_kernel_nobody_registered(self):
        self.create("web", kernel="nonesuch")
        error = self.fails("BadConfig", "Guest.Start", name="web")
        self.assertIn("nonesuch", error.message)


class Changing(Case):
    def test_set_and_unset(self):
        self.create("web", "mem=64M", "con1=null")
        reply = self.call("Guest.Update", name="web", set=["mem=128M", "con2=null", "restart=always"], unset=["con1"])
        self.assertTrue(reply["changed"])
        self.assertEqual(reply["guest"]["revision"], 2)
        definition = self.call("Guest.Get", name="web")["guest"]["definition"]
        self.assertEqual(sorted(definition["devices"]), ["con2=null", "mem=128M"])
        self.assertEqual(definition["restart"], "always")
        self.assertFalse(self.call("Guest.Update", name="web", set=["mem=128M"])["changed"])

    def test_a_wrong_change_changes_nothing(self):
        before = self.create("web", "mem=64M")
        for change in ({"set": ["mem=32M", "udb0=x"]}, {"unset": ["con5"]}, {"set": ["name=other"]},
                       {"set": ["restart=perhaps"]}, {"set": ["ubd0=/no/such/file"]}):
            with self.subTest(change=change), self.assertRaises(harness.Error):
                self.call("Guest.Update", name="web", **change)
        self.assertEqual(self.call("Guest.Get", name="web")["guest"], before)

    def test_revisions_catch_two_who_change_at_once(self):
        self.create("web", "mem=64M")
        self.call("Guest.Update", name="web", set=["mem=65M"], ifRevision=1)
        error = self.fails("Conflict", "Guest.Update", name="web", set=["mem=66M"], ifRevision=1)
        self.assertEqual(error.field, "ifRevision")
        self.fails("Conflict", "Guest.Remove", name="web", ifRevision=1)
        self.assertTrue(self.call("Guest.Remove", name="web", ifRevision=2)["changed"])

    def test_a_dry_run_changes_nothing(self):
        before = self.create("web", "mem=64M")
        reply = self.call("Guest.Update", name="web", set=["mem=65M"], dryRun=True)
        self.assertTrue(reply["changed"])
        self.assertEqual(reply["guest"]["definition"]["devices"], ["mem=65M"])
        self.assertEqual(self.call("Guest.Get", name="web")["guest"], before)

    def test_a_running_guest_takes_changes_at_its_next_start(self):
        self.boot("web", "mem=64M")
        self.call("Guest.Update", name="web", set=["mem=80M"])
        self.printed("web", "argument mem=64M")
        self.call("Guest.Stop", name="web")
        self.call("Guest.Start", name="web")
        self.printed("web", "argument mem=80M", boot=2)


if __name__ == "__main__":
    harness.main()
