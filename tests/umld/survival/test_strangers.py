"""What a new umld finds and did not expect: unknown run directories, reused pids, foreign monitors."""
import os
import socket
import struct
import subprocess
import sys
import time

import world
from world import Case, alive, below, until

HEADER = struct.Struct("=IHHII")  # vmcore/monitor/proto.h
MAGIC, STATE = 0x756D6D6F, 1


def sleeper():
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


class Strangers(Case):
    def test_a_guest_that_is_in_no_database_is_ended_and_its_directory_removed(self):
        for name in ("hangs", "web"):
            monitor = self.w.boot(name)["monitorPid"]
            tree = below([monitor]) | {monitor}
            self.w.kill()
            if name == "hangs":
                os.kill(monitor, world.signal.SIGSTOP)
            self.w.change("DELETE FROM guest WHERE name = ?", name)
            self.w.start()
            until(lambda: not any(alive(pid) for pid in tree), what="its end")
            until(lambda: not self.w.directories(), what="its directory removed")

    def test_an_empty_run_directory_is_swept(self):
        self.w.kill()
        os.makedirs(self.w.run + "/g/old/in/uml")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
            dead.bind(self.w.run + "/g/old/mon")
        self.w.start()
        until(lambda: not self.w.directories(), what="the directory removed")

    def test_a_directory_of_a_known_guest_whose_monitor_is_gone_is_swept(self):
        self.w.create("web")
        self.w.kill()
        os.makedirs(self.w.run + "/g/web/in/uml")
        self.w.start()
        until(lambda: not self.w.directories(), what="the directory removed")
        self.assertEqual(self.w.runtime("web")["state"], "stopped")

    def test_a_guest_whose_row_cannot_be_read_is_not_ended(self):
        before = self.w.boot("web")
        self.w.kill()
        [[definition]] = self.w.rows("SELECT definition FROM guest WHERE name = 'web'")
        self.w.change("UPDATE guest SET definition = '{\"name\": 3' WHERE name = 'web'")
        self.w.start()
        time.sleep(0.3)
        self.assertTrue(alive(before["pid"]))
        self.w.kill()
        self.w.change("UPDATE guest SET definition = ? WHERE name = 'web'", definition)
        self.w.start()
        self.assertEqual(self.w.settled()["web"]["pid"], before["pid"])

    def test_a_pid_that_means_another_process_by_now_is_left_alone(self):
        monitor = self.w.boot("web")["monitorPid"]
        self.w.kill()
        os.kill(monitor, world.signal.SIGKILL)
        until(lambda: not alive(monitor))
        with sleeper() as other:
            self.w.change("UPDATE guest SET monitor_pid = ? WHERE name = 'web'", other.pid)
            self.w.start()
            run = self.w.wait("web", "failed")
            self.assertEqual(run["cause"], "monitor died")
            self.assertIsNone(other.poll())
            other.kill()

    def test_a_monitor_stored_before_the_hosts_last_boot_is_not_looked_for(self):
        monitor = self.w.boot("web")["monitorPid"]
        self.w.kill()
        os.kill(monitor, world.signal.SIGKILL)
        until(lambda: not alive(monitor))
        with sleeper() as other:
            start = world.stat_of(other.pid)[2]
            self.w.change("UPDATE guest SET monitor_pid = ?, monitor_start = ?, host_boot = 'earlier'"
                          " WHERE name = 'web'", other.pid, start)
            self.w.start()
            run = self.w.wait("web", "failed")
            self.assertIn("host was restarted", run["cause"])
            self.assertIsNone(other.poll())
            other.kill()

    def test_a_monitor_of_another_version_is_refused_and_goes_on(self):
        self.w.create("web")
        self.w.kill()
        os.makedirs(self.w.run + "/g/web/in")
        with sleeper() as guest, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self.w.run + "/g/web/mon")
            listener.listen(8)
            listener.settimeout(world.LIMIT)
            [[boot]] = self.w.rows("SELECT host_boot FROM guest")
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                boot = file.read().strip()
            self.w.change("UPDATE guest SET state = 'running', want_up = 1, monitor_pid = ?, monitor_start = ?,"
                          " host_boot = ? WHERE name = 'web'", guest.pid, world.stat_of(guest.pid)[2], boot)
            self.w.start()
            connection, _ = listener.accept()
            with connection:
                connection.send(HEADER.pack(MAGIC, 99, STATE, 0, 4) + b"what")
                run = until(lambda: self.w.runtime("web").get("cause") and self.w.runtime("web"))
                self.assertIn("protocol version 99", run["cause"])
                time.sleep(5.5)  # longer than a silent monitor would be given
                self.assertEqual(self.w.runtime("web")["state"], "adopting")
                self.assertIsNone(guest.poll())
                self.assertEqual(self.w.rows("SELECT state FROM guest")[0][0], "running")
            # Its end is seen, and asking for it works.
            listener.close()
            self.w.call("Guest.Kill", name="web")
            self.assertEqual(guest.wait(world.LIMIT), -world.signal.SIGKILL)
        self.assertEqual(self.w.runtime("web")["state"], "stopped")


if __name__ == "__main__":
    world.main()
