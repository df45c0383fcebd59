"""Devices of running guests: umld dies in the midst of a change, and kernels that refuse or are silent."""
import os

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
        self.assertRegex(self.shown("web", "ubd1"), r"^/proc/\d+/fd/3$")
        actions = [e["data"]["action"] for e in self.w.events(guest="web") if e["type"] == "guest.device"]
        self.assertEqual(actions, ["added"])

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
