"""Devices of running guests: umld dies in the midst of a change, and kernels that refuse or are silent."""
import contextlib
import os
import selectors
import sqlite3
import struct

import world
from world import Case, until


class Devices(Case):
    def disk(self, name):
        path = os.path.join(self.w.directory, name)
        with open(path, "wb") as file:
            file.truncate(1 << 20)
        return path

    def stored(self, name):
        return self.w.call("Guest.Get", name=name)["guest"]["definition"]["devices"]

    def shown(self, name, device):
        return self.w.call("Guest.Mconsole", name=name, command=f"config {device}")["text"]

    def die_at(self, point, **parameters):
        self.w.arm(point)
        with self.w.send_only("Guest.Update", **parameters):
            self.w.died()
        self.w.disarm()

    def test_a_change_the_kernel_was_not_told_of_never_happened(self):
        self.w.boot("web")
        before = self.stored("web")
        self.die_at("device:running", name="web", set=["ubd1=" + self.disk("a"), "con3=null"])
        self.w.start()
        self.w.settled()
        # Changes wait for what is being settled.
        self.w.call("Guest.Update", name="web", set=["con4=none"])
        self.assertEqual(self.shown("web", "ubd1"), "")
        self.assertEqual(self.stored("web"), before + ["con4=none"])

    def test_a_change_the_kernel_took_is_stored_by_the_next_daemon(self):
        path = self.disk("a")
        self.w.boot("web")
        self.die_at("device-took:running", name="web", set=["ubd1=" + path])
        self.w.start()
        self.w.settled()
        until(lambda: "ubd1=" + path in self.stored("web"), what="the disk is stored")
        self.assertEqual(self.shown("web", "ubd1"), path)
        actions = [e["data"]["action"] for e in self.w.events(guest="web") if e["type"] == "guest.device"]
        self.assertEqual(actions, ["added"])

    def mounted(self, pid, path):
        """Is the file in the sandbox?"""
        with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as file:
            return any(line.split()[4] == path for line in file)

    def pid(self, name):
        return self.w.call("Guest.Get", name=name)["guest"]["runtime"]["pid"]

    def test_a_file_on_its_way_leaves_the_sandbox_again(self):
        """umld dies behind the mount, before the kernel has heard of it."""
        path = self.disk("a")
        self.w.boot("web")
        pid = self.pid("web")
        self.die_at("device:running", name="web", set=["ubd1=" + path])
        self.assertTrue(self.mounted(pid, path))
        self.w.start()
        self.w.settled()
        until(lambda: not self.mounted(pid, path), what="the file is gone")
        self.assertEqual(self.w.call("Guest.Update", name="web", set=["ubd1=" + path])["applied"], [{"device": "ubd1", "how": "live"}])
        self.assertTrue(self.mounted(pid, path))

    def test_a_header_that_the_guest_wrote_meanwhile_is_not_believed(self):
        """A raw disk stays one: in what is settled, in what is defined again, and at the next start."""
        path, secret = self.disk("a"), self.disk("secret")
        self.w.boot("web")
        self.die_at("device-took:running", name="web", set=["ubd1=" + path])
        header = struct.pack(">IIIQIII", 0x4F4F4F4D, 3, int(os.stat(secret).st_mtime), os.stat(secret).st_size, 512, 4096, 0)
        with open(path, "r+b") as file:
            file.write((header + secret.encode()).ljust(8192, b"\0"))
        self.w.start()
        self.w.settled()
        until(lambda: "ubd1=" + path in self.stored("web"), what="the disk is stored")
        self.w.call("Guest.Update", name="web", set=["ubd1=" + path, "con3=none"])
        with contextlib.closing(sqlite3.connect(f"file:{self.w.state}/umld.db?mode=ro", uri=True)) as db:
            self.assertEqual(db.execute("SELECT origin FROM device WHERE name = 'ubd1'").fetchall(), [("raw",)])
        self.w.call("Guest.Reboot", name="web")
        until(lambda: self.shown("web", "ubd1") == path, what="the disk is there again")
        self.w.call("Guest.Stop", name="web", force=True)
        self.w.call("Guest.Start", name="web")
        self.assertFalse(self.mounted(self.pid("web"), secret))
        self.assertIn("ubd1d=" + path, world.words_of(self.pid("web")))

    def test_all_calls_that_wait_are_answered_when_the_guest_ends(self):
        """One is under way, eight wait; the one too many proves that the others are there."""
        self.w.boot("web", "silent", wait="kernel", ready="kernel")
        with contextlib.ExitStack() as stack:
            calls = [stack.enter_context(self.w.connect()) for _ in range(10)]
            for i, call in enumerate(calls):
                call.send("Guest.Update", {"name": "web", "set": [f"con{i + 1}=none"]})
            selector = selectors.DefaultSelector()
            for call in calls:
                selector.register(call.socket, selectors.EVENT_READ, call)
            first = [key.data for key, _ in selector.select(world.LIMIT)]
            self.assertEqual(len(first), 1)
            with self.assertRaises(world.Refused) as caught:
                first[0].receive()
            self.assertEqual(caught.exception.name, "Busy")
            self.w.call("Guest.Kill", name="web")
            for call in calls:
                if call is first[0]:
                    continue
                with self.assertRaises(world.Refused) as caught:
                    call.receive()
                self.assertEqual(caught.exception.name, "NotRunning")

    def test_a_stored_change_stays_one(self):
        path = self.disk("a")
        self.w.boot("web")
        self.w.call("Guest.Update", name="web", set=["ubd1=" + path])
        self.w.restart()
        self.w.settled()
        values = self.w.call("Guest.Config", name="web", device="ubd1")["values"]
        self.assertEqual(values, [{"device": "ubd1", "value": "ubd1=" + path, "where": "both", "live": "ubd1=" + path}])
        reply = self.w.call("Guest.Detach", name="web", device="ubd1")
        self.assertEqual(reply, {"changed": True, "applied": [{"device": "ubd1", "how": "live"}]})
        self.assertEqual(self.shown("web", "ubd1"), "")

    def test_it_is_configured_again_after_a_reboot_in_place(self):
        path = self.disk("a")
        self.w.boot("web")
        self.w.call("Guest.Update", name="web", set=["ubd1=" + path])
        self.w.call("Guest.Reboot", name="web")
        until(lambda: self.shown("web", "ubd1") != "", what="the disk is there again")
        self.assertEqual(self.w.call("Guest.Config", name="web", device="ubd1")["values"][0]["where"], "both")

    def test_a_silent_kernel_leaves_the_definition_as_it_is(self):
        self.w.boot("web", "silent", wait="kernel", ready="kernel")
        before = self.stored("web")
        with self.assertRaises(world.Refused) as caught:
            self.w.call("Guest.Update", name="web", set=["con3=none"])
        self.assertIn("does not answer", str(caught.exception))
        self.assertEqual(self.stored("web"), before)
        values = self.w.call("Guest.Config", name="web")["values"]
        self.assertEqual({v["where"] for v in values}, {"stored", "both"} if len(values) > 1 else {"both"})

    def test_what_could_not_be_put_back_is_told_and_shown(self):
        path = self.disk("a")
        self.w.boot("web", "busyubd")
        self.w.create("other")
        before = self.stored("web")
        with self.assertRaises(world.Refused) as caught:
            self.w.call("Guest.Update", name="web", set=["ubd1=" + path, "con0=null"])  # con0 is open
        told = caught.exception.reply["parameters"]
        self.assertRegex(told["message"], "already open.*; and ubd1 could not be put back: .*currently open")
        self.assertIn("umlctl config web", told["hint"])
        self.assertEqual(self.stored("web"), before)
        values = {v["device"]: v for v in self.w.call("Guest.Config", name="web")["values"]}
        self.assertEqual(values["ubd1"], {"device": "ubd1", "value": "ubd1=" + path, "where": "live", "live": "ubd1=" + path})
        self.assertEqual([e["data"]["device"] for e in self.w.events(guest="web") if e["type"] == "guest.device"], ["con0", "ubd1"])
        with self.assertRaises(world.Refused) as caught:  # its kernel has the disk, whatever is stored
            self.w.call("Guest.Update", name="other", set=["ubd1=" + path])
            self.w.call("Guest.Start", name="other")
        self.assertIn("in use by", str(caught.exception))
        with self.assertRaises(world.Refused) as caught:  # what is not stored can be detached, too: it is busy
            self.w.call("Guest.Detach", name="web", device="ubd1")
        self.assertEqual(caught.exception.name, "Busy")
        self.assertNotIn("put back", str(caught.exception), "nothing was done that had to be")

    def test_what_the_kernel_has_lost_is_shown(self):
        path = self.disk("a")
        self.w.boot("web")
        self.w.call("Guest.Update", name="web", set=["ubd1=" + path])
        self.w.call("Guest.Mconsole", name="web", command="remove ubd1")
        values = self.w.call("Guest.Config", name="web", device="ubd1")["values"]
        self.assertEqual(values, [{"device": "ubd1", "value": "ubd1=" + path, "where": "differs"}])

    def test_dry_run_says_what_would_be_and_does_nothing(self):
        self.w.boot("web")
        before = self.stored("web")
        reply = self.w.call("Guest.Update", name="web", set=["con3=none", "mem=64M"], dryRun=True)
        self.assertEqual({a["device"]: a["how"] for a in reply["applied"]}, {"con3": "live", "mem": "nextStart"})
        reply = self.w.call("Guest.Detach", name="web", device="mem", dryRun=True)
        self.assertEqual([a["how"] for a in reply["applied"]], ["nextStart"])
        self.assertEqual((self.stored("web"), self.shown("web", "con3")), (before, "none"))


if __name__ == "__main__":
    world.main()
