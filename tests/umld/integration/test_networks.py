"""Networks: their umlnetds are started, watched, told, replaced. The umlnetd here is a fake (fake_umlnetd.py) whose
faults a test chooses; ports are told as definitions say."""
import json
import os
import shutil
import signal
import sys
import unittest

import harness
from harness import Case

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "netd"))
import netd_proto as proto  # noqa: E402


class Networks(Case):
    def make(self, name="lan", **fields):
        return self.call("Network.Create", definition={"name": name, **fields})["network"]

    def network(self, name="lan"):
        return self.call("Network.Get", name=name)["network"]

    def state(self, wanted, name="lan"):
        def look():
            runtime = self.network(name)["runtime"]
            return runtime if runtime["state"] == wanted else None
        return harness.until(look, what=f"network {name} {wanted}")

    def fault(self, text):
        path = os.path.join(self.daemon.libexec, "fault")
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def told(self, kind=None, name="lan", pid=None):
        try:
            with open(os.path.join(self.daemon.libexec, f"told.{name}"), encoding="ascii") as file:
                lines = [json.loads(line) for line in file]
        except FileNotFoundError:
            return []
        return [t for t in lines if kind in (None, t["type"]) and pid in (None, t["pid"])]

    def told_until(self, kind, condition=lambda t: True, **more):
        return harness.until(lambda: [t for t in self.told(kind, **more) if condition(t)], what=f"request {kind}")

    def kill(self, pid, signo=signal.SIGKILL):
        os.kill(pid, signo)

    def types(self):
        return [e["type"] for e in self.events(types=["network.*"])]


class Life(Networks):
    def test_a_network_runs_is_told_and_goes(self):
        made = self.make(mtu=9000, mode="hub", macGuard=3)
        self.assertEqual(made["definition"]["macAge"], 100)
        runtime = self.state("running")
        self.assertFalse(runtime["kept"])
        self.assertEqual(self.told(proto.NETWORK)[0]["keys"], [1, 9014, 1024, 100, 3, 0, 200, 0, 0, 0])
        self.assertEqual(self.fails("Exists", "Network.Create", definition={"name": "lan"}).field, "name")
        self.assertTrue(self.call("Network.Remove", name="lan")["changed"])
        self.assertFalse(os.path.exists(f"/proc/{runtime['pid']}"))
        self.assertEqual(os.listdir(os.path.join(self.daemon.run, "n")), [])
        self.assertIn("make it: umlctl net create lan", self.fails("NotFound", "Network.Get", name="lan").hint)
        self.assertFalse(self.call("Network.Remove", name="lan")["changed"])
        self.assertEqual(self.types(), ["network.defined", "network.up", "network.removed"])
        self.make()  # the name is free again

    def test_a_change_is_told_to_the_running_one(self):
        self.make()
        pid = self.state("running")["pid"]
        reply = self.call("Network.Update", name="lan", change={"storm": 7}, ifRevision=1)
        self.assertEqual((reply["changed"], reply["network"]["revision"]), (True, 2))
        self.told_until(proto.NETWORK, lambda t: t["keys"][5] == 7, pid=pid)
        self.assertFalse(self.call("Network.Update", name="lan", change={"storm": 7})["changed"])
        self.fails("Conflict", "Network.Update", name="lan", change={"storm": 8}, ifRevision=1)
        self.assertEqual(self.network()["runtime"]["pid"], pid)

    def test_a_death_is_answered_at_once_and_state_is_kept(self):
        self.make()
        first = self.state("running")
        self.kill(first["pid"])
        second = harness.until(lambda: (r := self.state("running"))["pid"] != first["pid"] and r, what="another one")
        self.assertTrue(second["kept"])
        self.assertEqual(second["restarts"], 1)
        samples = {m["name"]: m["samples"] for m in self.call("Server.Metrics")["metrics"]}
        self.assertEqual(samples["umld_network_up"], [{"labels": {"network": "lan"}, "value": 1}])
        self.assertEqual(samples["umld_network_restarts_total"][0]["value"], 1)
        self.assertEqual(self.types(), ["network.defined", "network.up", "network.down", "network.up"])

    def test_a_restart_is_a_handover(self):
        self.make()
        first = self.state("running")
        reply = self.call("Network.Restart", name="lan")
        runtime = reply["network"]["runtime"]
        self.assertEqual((runtime["state"], runtime["restarts"], runtime["kept"]), ("running", 0, True))
        self.assertNotEqual(runtime["pid"], first["pid"])
        self.assertEqual(len(self.told(proto.HANDOVER, pid=first["pid"])), 1)

    def test_one_that_does_not_let_go_is_ended(self):
        self.fault("slow\n")
        self.make()
        first = self.state("running")
        runtime = self.call("Network.Restart", name="lan")["network"]["runtime"]
        self.assertNotEqual(runtime["pid"], first["pid"])
        self.assertTrue(self.call("Network.Remove", name="lan")["changed"])
        self.assertFalse(os.path.exists(f"/proc/{runtime['pid']}"))

    def test_values_out_of_range_are_refused(self):
        error = self.fails("InvalidParameter", "Network.Create", definition={"name": "x", "mtu": 67})
        self.assertIn("mtu", error.parameters["parameter"])


class LongPaths(Networks):
    def prepare(self):
        self.daemon.run = os.path.join(self.daemon.directory, "r" * 40)
        self.daemon.api = os.path.join(self.daemon.run, "api")

    def test_a_name_whose_sockets_do_not_fit_is_refused(self):
        self.assertIn("bytes shorter", self.fails("InvalidValue", "Network.Create", definition={"name": "n" * 63}).hint)


class Faults(Networks):
    def fails_and_is_reset(self, fault, cause):
        """Five deaths, then failed; once it is mended, a restart brings it back."""
        self.fault(fault)
        self.make()
        runtime = self.state("failed")
        self.assertRegex(runtime["cause"], cause)
        self.assertEqual(runtime["restarts"], 4)
        self.assertEqual(self.types()[-1], "network.failed")
        self.fault("")
        self.assertEqual(self.call("Network.Restart", name="lan")["network"]["runtime"]["state"], "running")

    def test_one_that_ends_at_once(self):
        self.fails_and_is_reset("start\n", "5 times within a minute.*ended with status 3")

    def test_one_that_dies_when_it_is_configured(self):
        self.fails_and_is_reset(f"die {proto.NETWORK}\n", "ended with status 7")

    def test_one_that_dies_at_go(self):
        self.fails_and_is_reset(f"die {proto.GO}\n", "ended with status 7")

    def test_another_version(self):
        self.fails_and_is_reset("version\n", "speaks version 99 of the protocol, this umld 1")

    def test_one_that_refuses_its_configuration(self):
        self.fails_and_is_reset(f"refuse {proto.NETWORK}\n", "refused its configuration: fake says no")

    def test_one_that_answers_what_was_not_asked(self):
        self.fails_and_is_reset("stranger\n", "answered what it was not asked")

    def test_a_program_that_is_missing(self):
        path = os.path.join(self.daemon.libexec, "umlnetd")
        os.unlink(path)
        self.make()
        self.assertIn("umlnetd", self.state("failed")["cause"])
        os.symlink(harness.LIBEXEC["umlnetd"], path)
        self.call("Network.Restart", name="lan")

    def test_a_failed_network_can_be_removed(self):
        self.fault("start\n")
        self.make()
        self.state("failed")
        self.assertTrue(self.call("Network.Remove", name="lan")["changed"])

    def test_one_that_never_answers_is_killed(self):
        """Takes its time: the limit of an answer is 10 s."""
        self.make()
        first = self.state("running")
        self.fault(f"mute {proto.GO}\n")
        self.call("Network.Update", name="lan", change={"storm": 9})
        down = harness.until(lambda: self.events(types=["network.down"]), what="its end")
        self.assertIn("did not answer for 10 s", down[0]["data"]["cause"])
        self.fault("")
        harness.until(lambda: self.state("running")["pid"] != first["pid"], what="another one")


class Ports(Networks):
    def test_a_device_without_an_address_gets_one_that_stays(self):
        def devices():
            return self.call("Guest.Get", name="web")["guest"]["definition"]["devices"]

        self.make()
        self.create("web", "net0=lan,vlan=20", "net3=lan,mac=02:00:00:00:00:05")
        first = devices()
        self.assertRegex(first[0], r"^net0=lan,mac=02(:[0-9a-f]{2}){4}:00,vlan=20$")
        self.assertEqual(first[1], "net3=lan,mac=02:00:00:00:00:05")
        self.call("Guest.Update", name="web", set=["net0=lan"])
        self.assertEqual(devices()[0], first[0].removesuffix(",vlan=20"))
        self.create("db", "net0=lan")
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(devices()[0], first[0].removesuffix(",vlan=20"))
        other = self.call("Guest.Get", name="db")["guest"]["definition"]["devices"][0]
        self.assertNotEqual(other, devices()[0])

    def test_ports_follow_definitions_and_keep_their_numbers(self):
        self.make()
        self.make("lab")
        self.state("running"), self.state("running", "lab")
        self.create("web", "net0=lan,vlan=20,guard=mac,mac=02:00:00:00:00:05", "net1=lab")
        first = self.told_until(proto.PORT)[0]
        self.assertEqual((first["name"], first["mode"], first["vlan"], first["mac"]),
                         ("web/vec0", proto.ACCESS, 20, "020000000005"))
        self.assertEqual(self.network()["runtime"]["guests"], ["web"])
        self.call("Guest.Update", name="web", set=["net0=lan,isolated=3"])
        changed = self.told_until(proto.PORT, lambda t: t["isolation"] == 3)
        self.assertEqual(changed[0]["id"], first["id"])
        other = self.told_until(proto.PORT, name="lab")[0]
        self.assertNotEqual(other["id"], first["id"])
        self.call("Guest.Detach", name="web", device="net1")
        self.told_until(proto.PORT_DROP, lambda t: t["id"] == other["id"], name="lab")
        self.call("Guest.Update", name="web", set=["net0=lab"])
        self.told_until(proto.PORT_DROP, lambda t: t["id"] == first["id"])
        self.assertEqual(self.told_until(proto.PORT, lambda t: t["id"] == first["id"], name="lab")[-1]["name"], "web/vec0")
        self.call("Guest.Remove", name="web")
        self.told_until(proto.PORT_DROP, lambda t: t["id"] == first["id"], name="lab")

    def test_a_network_that_is_named_stays(self):
        self.make()
        self.create("web", "net0=lan")
        self.create("db", "net0=lan")
        error = self.fails("Busy", "Network.Remove", name="lan")
        self.assertIn("2 guests name it: web, db", error.message)
        error = self.fails("NotFound", "Guest.Create", definition={"name": "x", "kernel": "fake", "devices": ["net0=wan"]})
        self.assertEqual(error.field, "definition.devices[0]")
        self.assertIn("networks: lan", error.hint)
        self.fails("NotFound", "Guest.Update", name="web", set=["net0=wan"])

    def test_counters_and_addresses_are_listed(self):
        self.make()
        self.state("running")
        for name in ("a", "b", "c"):
            self.create(name, "net0=lan")
        self.told_until(proto.PORT, lambda t: t["name"] == "c/vec0")
        ports = self.call("Network.Ports", name="lan")["ports"]
        self.assertEqual([p["name"] for p in ports], ["a/net0", "b/net0", "c/net0", "uml0.1"])
        self.assertEqual((ports[0]["guest"], ports[0]["device"], ports[0]["inFrames"], ports[0]["drops"]),
                         ("a", "net0", 10, {"giant": 4}))
        self.assertNotIn("guest", ports[3])
        mac = "02:00:00:00:00:09"
        self.assertTrue(self.call("Network.FixMac", name="lan", mac=mac, port="b/net0")["changed"])
        self.assertFalse(self.call("Network.FixMac", name="lan", mac=mac, port="b/net0")["changed"])
        self.assertEqual(self.call("Network.Macs", name="lan")["macs"],
                         [{"mac": mac, "vlan": 0, "port": "b/net0", "fixed": True}])
        self.assertIn("GUEST/netN", self.fails("NotFound", "Network.FixMac", name="lan", mac=mac, port="x/net0").hint)
        self.fails("InvalidValue", "Network.FixMac", name="lan", mac="01:00:00:00:00:09", port="b/net0")
        # It is told to the next umlnetd, and goes with its port.
        self.kill(self.network()["runtime"]["pid"])
        self.told_until(proto.MAC_FIX, lambda t: True, pid=harness.until(
            lambda: (r := self.network()["runtime"])["restarts"] == 1 and r["state"] == "running" and r["pid"],
            what="another one"))
        self.assertTrue(self.call("Network.ForgetMac", name="lan", mac=mac)["changed"])
        self.assertFalse(self.call("Network.ForgetMac", name="lan", mac=mac)["changed"])

    def test_more_ports_than_allowed_are_refused(self):
        self.make(maxPorts=1)
        self.create("a", "net0=lan")
        error = self.fails("NoResources", "Guest.Create",
                           definition={"name": "b", "kernel": "fake", "devices": ["net0=lan"]})
        self.assertIn("1 ports already", error.message)

    def test_a_start_fails_when_the_network_has_failed(self):
        self.make()
        self.state("running")
        self.create("web", "net0=lan")
        self.fault("start\n")
        self.kill(self.network()["runtime"]["pid"])
        self.state("failed")
        error = self.fails("WrongState", "Guest.Start", name="web")
        self.assertIn("its network lan: failed", error.message)
        self.assertIn("umlctl net restart lan", error.hint + error.message)

    def test_a_start_waits_for_the_network(self):
        self.fault("silent\n")
        self.make()
        self.create("web", "net0=lan")
        client = self.client()
        client.send("Guest.Start", {"name": "web", "wait": "kernel"})  # what comes of it is another matter
        harness.until(lambda: self.runtime("web").get("doing") == "waits for network lan (starting)", what="waiting")
        self.fault("")
        self.kill(self.network()["runtime"]["pid"])
        harness.until(lambda: [e for e in self.events(types=["guest.state"], guests=["web"])
                               if (e["data"]["from"], e["data"]["to"]) == ("preparing", "booting")], what="its start")


class Survival(Networks):
    def test_umld_dies_and_finds_its_networks(self):
        self.make()
        self.make("lab")
        before = {name: self.state("running", name)["pid"] for name in ("lan", "lab")}
        self.create("web", "net0=lan")
        self.told_until(proto.PORT)
        self.daemon.kill()
        self.kill(before["lab"])
        self.daemon.start()
        after = {name: self.state("running", name) for name in ("lan", "lab")}
        self.assertEqual(after["lan"]["pid"], before["lan"])
        self.assertNotEqual(after["lab"]["pid"], before["lab"])
        self.assertTrue(after["lab"]["kept"])
        goes = self.told(proto.GO, pid=before["lan"])
        self.assertEqual(goes[-1]["ports"], ["web/vec0"])
        # With the listening sockets it got back, the next umlnetd can be started.
        self.kill(before["lan"])
        again = harness.until(lambda: (r := self.state("running"))["pid"] != before["lan"] and r, what="another one")
        self.assertEqual(self.told(proto.GO, pid=again["pid"])[-1]["ports"], ["web/vec0"])

    def test_one_that_gives_no_sockets_back_is_replaced(self):
        self.make()
        first = self.state("running")["pid"]
        self.fault("bare\n")
        self.daemon.kill()
        self.daemon.start()
        harness.until(lambda: (self.network()["runtime"].get("pid") or first) != first, what="another one")
        self.fault("")
        self.state("running")

    def test_what_nobody_knows_is_swept(self):
        self.make()
        pid = self.state("running")["pid"]
        self.daemon.kill()
        shutil.rmtree(self.daemon.state)
        self.daemon.start()
        harness.until(lambda: not os.listdir(os.path.join(self.daemon.run, "n")), what="the sweep")
        harness.until(lambda: pid not in harness.descendants(os.getpid()) or self.dead(pid), what="its end")

    @staticmethod
    def dead(pid):
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            return True

    def test_a_pid_file_of_a_stranger_is_not_believed(self):
        self.make()
        pid = self.state("running")["pid"]
        self.daemon.kill()
        self.kill(pid)
        path = os.path.join(self.daemon.run, "n", "lan", "pid")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()} 1\n")  # lives, but began at another time
        self.daemon.start()
        self.assertNotEqual(self.state("running")["pid"], os.getpid())


if __name__ == "__main__":
    unittest.main(verbosity=2)
