"""The event stream under load: 100,000 events through the real server, with readers of every kind, one of which
sees the daemon killed in the middle."""
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import harness
from harness import Case, Daemon, until

COUNT = 100000
FEWER = 20000 if harness.sanitized() else COUNT  # where the number proves nothing more
BUSY = os.path.join(harness.BUILD, "tests", "umld", "integration", "umld_busy")
SEQ = re.compile(rb'"seq": ?(\d+)')
NUMBER = re.compile(rb'"number": ?"(\d+)"')
LOST = re.compile(rb'"lost": ?\{"from": ?(\d+), ?"to": ?(\d+)')


class Reader:
    """Numbers of a subscription as they come. Not harness.Client: a hundred thousand replies are parsed here."""

    def __init__(self, daemon, **parameters):
        self.client = daemon.client()
        self.client.send("Server.Subscribe", parameters, more=True)
        self.rest = b""
        self.seqs, self.lost = [], []

    def read(self):
        """One piece; False at the end of the stream."""
        try:
            data = self.client.socket.recv(1 << 20)
        except ConnectionResetError:
            return False
        *replies, self.rest = (self.rest + data).split(b"\0")
        for reply in replies:
            seq, lost = SEQ.search(reply), LOST.search(reply)
            if seq:
                self.seqs.append(int(seq.group(1)))
                number = NUMBER.search(reply)
                if number and number.group(1) != seq.group(1):
                    raise AssertionError(f"event {seq.group(1)} holds the data of {number.group(1)}")
            elif lost:
                self.lost.append((int(lost.group(1)), int(lost.group(2))))
            elif b'"error"' in reply:
                raise AssertionError(reply.decode())
        return bool(data)

    def until_seq(self, seq):
        while not self.seqs or self.seqs[-1] < seq:
            if not self.read():
                return False
        return True

    def close(self):
        self.client.close()


class Stream(Case):
    kernel = False

    def setUp(self):
        super().setUp()
        self.daemon.terminate()
        self.daemon.program = BUSY
        self.count = COUNT if "no_gap" in self.id() else FEWER
        os.environ["UMLD_BUSY_EVENTS"] = str(self.count)
        self.addCleanup(os.environ.pop, "UMLD_BUSY_EVENTS")
        self.daemon.start()

    def begin(self):
        self.daemon.process.send_signal(signal.SIGUSR1)

    def last(self):
        return self.call("Server.Status")["lastEvent"]

    def reader(self, **parameters):
        reader = Reader(self.daemon, **parameters)
        self.addCleanup(reader.close)
        return reader

    def test_no_gap_and_no_duplicate_whoever_reads_and_whoever_dies(self):
        keen = self.reader(since=0, follow=True)
        slow = self.reader(since=0, follow=True)
        vanishing = self.reader(since=0, follow=True)
        self.begin()
        vanishing.until_seq(COUNT // 20)
        vanishing.close()
        until(lambda: self.last() > COUNT // 5, 60)
        self.daemon.kill()
        while keen.read():
            pass
        seen = keen.seqs[-1]
        self.assertEqual(keen.seqs, list(range(1, seen + 1)))
        self.daemon.start()
        # What was seen is stored, whatever else is lost; the next reader goes on from there.
        self.assertGreaterEqual(self.last(), seen)
        again = self.reader(since=seen, follow=True)
        self.begin()
        self.assertTrue(again.until_seq(COUNT))
        self.assertEqual((keen.seqs + again.seqs)[:COUNT], list(range(1, COUNT + 1)))
        # The slow reader has not read a byte so far: what its socket held was sent in order.
        while slow.read():
            pass
        self.assertEqual(slow.seqs, list(range(1, len(slow.seqs) + 1)))
        late = self.reader(since=len(slow.seqs), follow=True)
        self.assertTrue(late.until_seq(COUNT))
        self.assertEqual((slow.seqs + late.seqs)[:COUNT], list(range(1, COUNT + 1)))

    def test_who_does_not_read_holds_up_nobody_and_costs_no_memory(self):
        lazy = [self.reader(since=0, follow=True) for _ in range(20)]
        keen = self.reader(since=0, follow=True, types=["busy.rare"])
        before = self.daemon.memory_kib()
        self.begin()
        self.assertTrue(keen.until_seq(self.count))
        self.assertEqual(keen.seqs, list(range(1000, self.count + 1, 1000)))
        begun = time.monotonic()
        self.call("Server.Ping")
        self.assertLess(time.monotonic() - begun, 2)
        if not harness.sanitized():
            # 1 MiB of unsent replies each is the limit; without it, it were 15 MiB each.
            self.assertLess(self.daemon.memory_kib() - before, 20 * 3 * 1024)
        # A reader that reads after all misses nothing.
        self.assertTrue(lazy[7].until_seq(self.count))
        self.assertEqual(lazy[7].seqs, list(range(1, self.count + 1)))

    def test_a_filtered_reader_of_everything_is_quick(self):
        self.begin()
        until(lambda: self.last() >= self.count, 60)
        everything = self.processor_time(since=0)
        for filters in ({"types": ["busy.rare"]}, {"types": ["no.such"]}, {"guests": ["x*y"]}):
            # Unwanted events cost a small part of wanted ones, on whatever machine.
            self.assertLess(self.processor_time(since=0, **filters), everything / 3, filters)

    def processor_time(self, **parameters):
        """What umld uses for one reader to its end."""
        def used():
            with open(f"/proc/{self.daemon.process.pid}/stat", encoding="ascii") as file:
                fields = file.read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        before, reader = used(), self.reader(**parameters)
        reader.client.socket.shutdown(socket.SHUT_WR)
        while reader.read():
            pass
        return used() - before

    def test_what_was_pruned_is_reported_as_lost(self):
        self.begin()
        until(lambda: self.last() >= self.count, 60)
        self.set(events_keep=1000)
        last = self.last()
        first = last - 999
        until(lambda: self.oldest() == first, 60)
        reader = self.reader(since=500, follow=True)
        self.assertTrue(reader.until_seq(last))
        self.assertEqual(reader.lost, [(501, first - 1)])
        self.assertEqual(reader.seqs, list(range(first, last + 1)))
        filtered = self.reader(since=0, follow=True, types=["setting.*"])
        self.assertTrue(filtered.until_seq(last))
        self.assertEqual((filtered.lost, filtered.seqs), ([(1, first - 1)], [last]))

    def oldest(self):
        reader = self.reader(since=0)
        while not reader.seqs and reader.read():
            pass
        reader.close()  # asked again and again: a user has so many places and no more
        return reader.seqs[0]

    def test_umlctl_goes_on_after_a_restart_and_says_so(self):
        with open(os.path.join(self.daemon.directory, "out"), "w+b") as out:
            with subprocess.Popen([harness.UMLCTL, "--json", "--socket", self.daemon.api, "events", "--follow", "--since", "0"],
                                  env=self.daemon.environment(), stdout=out, stderr=subprocess.PIPE) as ctl:
                def seen():
                    with open(out.name, "rb") as file:
                        return [int(n) for n in SEQ.findall(file.read())]
                until(lambda: len(seen()) >= 2)
                self.begin()
                until(lambda: len(seen()) > self.count // 20, 60)
                self.daemon.kill()
                self.daemon.start()
                self.begin()
                until(lambda: seen() and seen()[-1] >= self.count, 60)
                ctl.send_signal(signal.SIGINT)
                _, said = ctl.communicate(timeout=harness.LIMIT)
            self.assertEqual(seen()[:self.count], list(range(1, self.count + 1)))
        self.assertRegex(said.decode(), r"(?s)lost.*going on after event \d+")


if __name__ == "__main__":
    harness.main()
