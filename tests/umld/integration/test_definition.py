"""Definitions: what is asked for, changed, refused; nothing half-done."""
import os
import subprocess
import sys
import tempfile

import harness
from harness import Case


class Creating(Case):
    def refused(self, code, *devices, **fields):
        """The guest is refused with this error, and not made."""
        definition = {"name": "web", "devices": list(devices), **fields}
        error = self.fails(code, "Guest.Create", definition=definition, cwd=self.daemon.directory)
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
        self.assertEqual([v["value"] for v in self.call("Guest.Config", name="web")["values"]], [*words, "kernel=fake"])
        self.assertEqual(len(self.call("Guest.Config", name="web", device="ubd0")["values"]), 1)
        self.assertIn("umlctl config", self.fails("NotFound", "Guest.Config", name="web", device="ubd7").hint)

    def test_unknown_devices_are_refused_with_the_word(self):
        error = self.refused("InvalidValue", "udb0=root.img")
        self.assertIn("udb0", error.message + error.field + error.hint)

    def test_bad_sizes_and_macs(self):
        for word in ("mem=", "mem=12Q", "mem=-5M", "mem=99999999T", "vec0:transport=tap,mac=12:34", "eth0=tuntap,,zz:zz"):
            with self.subTest(word=word):
                self.assertIn(self.refused("InvalidValue", word).name, "InvalidValue")

    def test_a_guest_with_nothing_to_boot_from_is_warned_of(self):
        def warnings(*devices, cmdline=(), **more):
            definition = {"name": "web", "kernel": "fake", "devices": list(devices), "cmdline": list(cmdline)}
            return self.call("Guest.Create", definition=definition, cwd=self.daemon.directory, dryRun=True, **more).get("warnings")

        image = self.file("root.img", harness.EXT4)
        for devices in ((), ("mem=40M", f"ubd1={image}")):
            [text] = warnings(*devices, cmdline=["quiet"])
            self.assertIn("nothing to boot from (ubd0=, initrd=, or root= after --)", text)
        for devices, cmdline in (([f"ubd0={image}"], []), ([f"initrd={image}"], []), ([], ["root=/dev/nfs"]),
                                 ([], ["rootfstype=hostfs"])):
            self.assertIsNone(warnings(*devices, cmdline=cmdline), (devices, cmdline))
        self.create("web", f"ubd0={image}")
        self.assertIn("nothing to boot from", self.call("Guest.Update", name="web", unset=["ubd0"])["warnings"][0])

    def test_missing_files(self):
        for word in ("ubd0=nothing.img", "initrd=nothing", "hostfs=/no/such/folder"):
            with self.subTest(word=word):
                error = self.refused("NotFound", word)
                self.assertIn("no", error.message.lower())

    def test_a_directory_is_no_disk(self):
        self.refused("InvalidValue", f"ubd0={self.daemon.state}")

    def test_umlds_own_files_are_no_disks(self):
        """Opened and closed once, under whatever name, they would lose the locks umld has on them."""
        other = os.path.join(self.daemon.directory, "other.img")
        for folder, name, link in (("state", "umld.db", None), ("state", "umld.db", os.symlink), ("state", "umld.db-shm", os.link),
                                   ("state", "lock", os.link), ("run", "lock", os.symlink)):
            own = os.path.join(self.daemon.directory, folder, name)
            self.assertTrue(self.locked(own), own)
            with self.subTest(own=own, link=link):
                if link:
                    link(own, other)
                path = other if link else own
                for word in (f"ubd0={path}", f"ubd1d={path}", f"initrd={path}"):
                    self.assertIn(f"{path} belongs to umld itself", self.refused("InvalidValue", word).message)
                self.refused("Denied", kernel=path)
                self.assertTrue(self.locked(own), "the lock is still there")
            if link:
                os.unlink(other)
        self.create("web")
        self.assertIn("belongs to umld itself", self.fails("InvalidValue", "Guest.Update", name="web",
                                                           set=[f"ubd1={self.daemon.state}/umld.db"]).message)

    def locked(self, path):
        with open("/proc/locks", encoding="ascii") as file:
            return f":{os.stat(path).st_ino} " in file.read()

    def test_an_image_that_is_none(self):
        text, empty = self.file("text.img", b"this is no file system\n" * 400), self.file("empty.img", b"")
        self.assertIn("text.img is no file system image", self.refused("InvalidValue", f"ubd0={text}").message)
        self.assertIn("mkfs.ext4", self.refused("InvalidValue", f"ubd0={empty}").hint)
        self.create("data", f"ubd1={text}")  # what a guest does not boot from may be anything

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

    def test_a_bad_name_is_told_once(self):
        for devices in ([], ["udb0=x"]):
            error = self.refused("InvalidValue", *devices, name="bad name")
            texts = [error.message, *error.more]
            self.assertEqual(len([text for text in texts if "no name for a guest" in text]), 1, texts)
            self.assertEqual(len(texts), 1 + len(devices), texts)

    def test_a_kernel_that_cannot_be_one(self):
        script = self.file("script", b"#!/bin/sh\necho 6.1\n", 0o755)
        cases = {"/bin/ls": "but no user-mode Linux kernel", script: "no ELF program", "/etc/passwd": "cannot be executed"}
        for path, text in cases.items():
            error = self.fails("Denied" if path == "/etc/passwd" else "InvalidValue", "Guest.Create",
                               definition={"name": "web", "kernel": path})
            self.assertIn(text, error.message)
            self.assertIn(os.path.basename(path), error.message + error.object)
        for kernel in ("nonesuch", "/nonesuch"):
            self.assertIn("nonesuch", self.refused("NotFound", kernel=kernel).object)
        self.assertEqual([k["name"] for k in self.call("Kernel.List")["kernels"]], ["fake"])

    def test_a_kernel_that_is_only_tried_later_is_accepted(self):
        with open(harness.FAKE, "rb") as file:
            path = self.file("later", file.read(), 0o755)
        self.create("web", kernel=path)
        self.assertEqual([k["name"] for k in self.call("Kernel.List")["kernels"]], ["fake"])

    def test_the_kernels_words_are_replaced_and_taken_away(self):
        def words():
            return self.call("Guest.Get", name="web")["guest"]["definition"].get("cmdline", [])

        def shown():
            return [v["value"] for v in self.call("Guest.Config", name="web")["values"] if v["device"] == "cmdline"]

        self.create("web", cmdline=["one=1", "quiet", "--", "single"])
        self.assertEqual(shown(), ["-- one=1 quiet -- single"])
        changed = self.call("Guest.Update", name="web", cmdline=["two", "--", "last"], set=["mem=80M"])
        self.assertEqual((words(), shown()), (["two", "--", "last"], ["-- two -- last"]))
        self.assertEqual(changed["guest"]["definition"]["devices"], ["mem=80M"])
        self.assertFalse(self.call("Guest.Update", name="web", cmdline=["two", "--", "last"])["changed"])
        self.assertTrue(self.call("Guest.Update", name="web", cmdline=["x"], dryRun=True)["changed"])
        self.assertFalse(self.call("Guest.Update", name="web", set=["mem=80M"])["changed"], "not named, they stay")
        for bad, why in (("two words", "holds blanks"), ("umid=other", "umid=other")):
            self.assertIn(why, self.fails("InvalidValue", "Guest.Update", name="web", cmdline=[bad]).message)
        self.assertEqual(words(), ["two", "--", "last"])
        self.call("Guest.Update", name="web", unset=["cmdline"])
        self.assertEqual((words(), shown()), ([], []))
        self.fails("NotFound", "Guest.Update", name="web", unset=["cmdline"])
        self.call("Guest.Update", name="web", cmdline=["again"])
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(words(), ["again"])
        self.call("Guest.Update", name="web", cmdline=[])
        self.assertEqual(words(), [])

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
    @staticmethod
    def fake():
        with open(harness.FAKE, "rb") as file:
            return file.read()

    def test_a_file_that_vanished_is_told_at_the_start(self):
        path = self.file("root.img", harness.EXT4)
        self.create("web", f"ubd0={path}")
        os.unlink(path)
        error = self.fails("BadConfig", "Guest.Start", name="web")
        self.assertIn("root.img", error.message)
        self.assertEqual(self.runtime("web")["state"], "failed")
        self.file("root.img", harness.EXT4)
        self.assertEqual(self.call("Guest.Start", name="web")["state"], "running")

    def test_a_kernel_that_became_none_is_told_at_the_start(self):
        with open("/bin/ls", "rb") as file:
            program = file.read()
        for name, content in (("program", program), ("script", b"#!/bin/sh\necho 6.1\n"), ("text", b"text\n")):
            with self.subTest(name=name):
                self.create(name, kernel=self.file(name, self.fake(), 0o755))
                self.file(name, content, 0o755)
                self.fails("BadConfig", "Guest.Start", name=name)
                self.assertEqual([k["name"] for k in self.call("Kernel.List")["kernels"]], ["fake"])
                self.call("Guest.Update", name=name, set=["mem=48M"])  # of another matter

    def test_a_kernel_that_is_not_registered_any_more(self):
        self.call("Kernel.Add", path=self.file("other", self.fake(), 0o755), name="other")
        self.create("web", kernel="other")
        self.call("Kernel.Remove", name="other")
        error = self.fails("BadConfig", "Guest.Start", name="web")
        self.assertIn("other", error.message)


class Locked(Case):
    """As a kernel does that somebody started by hand: a POSIX lock on the whole file."""

    def hold(self, path, kind):
        code = f"import fcntl; f = open({path!r}, 'r+b'); fcntl.lockf(f, fcntl.LOCK_NB | fcntl.{kind}); print(); input()"
        holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.let_go, holder)
        self.assertEqual(holder.stdout.readline(), b"\n")
        return holder

    @staticmethod
    def let_go(holder):
        with holder:
            holder.kill()

    def test_a_disk_that_another_program_has_locked(self):
        disk, other = self.file("root.img", harness.EXT4), self.file("other.img", harness.EXT4)
        holder = self.hold(disk, "LOCK_EX")
        self.create("web", f"ubd0={disk}")
        for dry_run in (True, False):
            error = self.fails("Conflict", "Guest.Start", name="web", dryRun=dry_run)
            self.assertIn(f"disk {disk} is locked by process {holder.pid} (", error.message)
        self.assertEqual(self.runtime("web")["state"], "failed")
        self.boot("shares", f"ubd0c={disk}")
        self.create("reads", f"ubd0={other}", f"ubd1r={disk}")
        self.fails("Conflict", "Guest.Start", name="reads")
        self.let_go(holder)
        self.call("Guest.Stop", name="shares")
        self.assertEqual(self.call("Guest.Start", name="web")["state"], "running")

    def test_readers_lock_out_writers_only(self):
        disk = self.file("root.img", harness.EXT4)
        self.hold(disk, "LOCK_SH")
        self.boot("reads", f"ubd0r={disk}")
        self.call("Guest.Stop", name="reads")
        self.create("writes", f"ubd0={disk}")
        self.fails("Conflict", "Guest.Start", name="writes")


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

    def test_keys_go_back_to_their_defaults(self):
        plain = self.create("plain", kernel=None)["definition"]
        words = ["kernel=fake", "restart=always", "hang=kill", "ready=console:login:", "autostart=on", "trusted=on",
                 "sandbox=off", "pinned=off", "depends=db", "label:tier=front", "label:tier=back", "label:empty=",
                 "protect:stop=because", "limit:pids=100"]
        names = list(dict.fromkeys(word.split("=")[0] for word in words))
        same = lambda web: {**web, "name": "plain"} == plain
        for back in ({"unset": names}, {"set": [n + "=" for n in names if ":" not in n], "unset": [n for n in names if ":" in n]}):
            self.create("web", kernel=None)
            web = self.call("Guest.Update", name="web", set=words)["guest"]["definition"]
            self.assertEqual((web["labels"], web["readyPattern"]), ({"tier": "back", "empty": ""}, "login:"))
            told = [v["value"] for v in self.call("Guest.Config", name="web")["values"]]
            self.assertEqual(sorted(told), sorted(word for word in words if word != "label:tier=front"))
            self.assertEqual(self.call("Guest.Config", name="web", device="hang")["values"][0]["value"], "hang=kill")
            web = self.call("Guest.Update", name="web", **back)["guest"]["definition"]
            self.assertTrue(same(web), web)
            self.assertEqual(self.call("Guest.Config", name="web")["values"], [])
            self.assertEqual(self.call("Guest.Config", name="web", device="hang")["values"][0]["value"], "hang=event")
            self.call("Guest.Remove", name="web")
        for wrong in ("label:none", "protect:stop", "limit:io", "owner", "colour"):
            self.assertIn(wrong, self.fails("NotFound", "Guest.Update", name="plain", unset=[wrong]).message)
        for wrong in ("label:=x", "owner="):
            self.fails("InvalidValue", "Guest.Update", name="plain", set=[wrong])

    def test_a_kernel_that_cannot_be_one_is_refused_here_too(self):
        before = self.create("web", "mem=64M")
        self.fails("InvalidValue", "Guest.Update", name="web", set=["kernel=/bin/ls"])
        self.fails("NotFound", "Guest.Update", name="web", set=["kernel=nonesuch"])
        self.assertEqual(self.call("Guest.Get", name="web")["guest"], before)

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
