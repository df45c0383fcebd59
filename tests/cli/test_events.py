"""umlctl events: what is kept, what comes, and going on after the daemon was away."""

import calendar
import json
import os
import re
import signal
import subprocess
import time
import unittest

from fake_umld import Case, Raw, Terminal, UMLCTL


class Events(Case):
    def event(self, seq, **data):
        return {'event': {'seq': seq, 'time': '2026-01-01T00:00:00.123Z', 'type': 'guest.state',
                          'object': 'guest web', 'data': data}}

    def test_past_events(self):
        self.script('Server.Subscribe', [self.event(1, old='a', why='A_ALIVE', text='found', new='b'),
                                         {'lost': {'from': 2, 'to': 4}}, self.event(5), {}])
        done = self.run_ctl('events')
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertIn('guest web old=a text=found new=b', done.stdout)
        self.assertIn('events 2 to 4 are no longer kept', done.stderr)
        self.assertEqual(self.sent('Server.Subscribe'), {'since': 0})

    def test_on_a_terminal_no_line_is_too_long_and_the_day_is_said_once(self):
        days = ['2026-01-31T12:00:00Z', '2026-01-31T12:00:01Z', '2026-02-01T00:00:00Z']
        self.script('Server.Subscribe', [{'event': {**self.event(n + 1, why='U_START', path='/p' * 40, empty='',
                                                                 text='a few words ' * 9)['event'], 'time': day}}
                                         for n, day in enumerate(days)] + [{}])
        for columns in (80, 132):
            term = Terminal(['events'], self.env, columns)
            self.assertEqual(term.end()[0], 0)
            lines = term.text.decode().splitlines()
            self.assertEqual([line for line in lines if line.startswith('2026')], ['2026-01-31', '2026-02-01'])
            self.assertEqual([line for line in lines if len(line) > columns], ['path='.rjust(41) + '/p' * 40] * 3
                             if columns == 80 else [])
            for line in lines:
                self.assertRegex(line, '^(2026-0|     [123]  [01]|' + ' ' * 36 + '[^ ])')
            self.assertNotIn('empty', term.text.decode())
            self.assertEqual(len(re.findall(r'\ba\s+few\s+words\b', term.text.decode())), 27)

    def test_filters_and_json(self):
        self.script('Server.Subscribe', [self.event(8), self.event(9)])
        out = self.ok('--json', 'events', '--since', '7', '--guest', 'web,db*', '--guest', 'x', '--type', 'a,b',
                      '--type=c')
        self.assertEqual([json.loads(line) for line in out.splitlines()],
                         [self.event(8), self.event(9)])
        self.assertEqual(self.sent('Server.Subscribe'),
                         {'since': 7, 'guests': ['web', 'db*', 'x'], 'types': ['a', 'b', 'c']})

    def test_follow_prints_as_they_come(self):
        first = json.dumps({'parameters': self.event(1), 'continues': True}).encode() + b'\0'

        def script(params, call):
            raise Raw(first, 'silence')
        self.script('Server.Subscribe', script)
        with subprocess.Popen([UMLCTL, 'events', '--follow'], env=self.env,
                              stdout=subprocess.PIPE) as p:
            self.assertIn(b'guest web', p.stdout.readline())
            self.assertIsNone(p.poll())
            p.send_signal(signal.SIGINT)
            self.assertEqual(p.wait(10), -signal.SIGINT)
        self.assertEqual(self.sent('Server.Subscribe'), {'follow': True, 'marks': True})

    def test_since_a_time_or_a_while(self):
        self.script('Server.Subscribe', {})
        self.ok('events', '--since', '2026-01-31T14:00:00.5+02:00')
        self.assertEqual(self.sent('Server.Subscribe'), {'sinceTime': '2026-01-31T12:00:00.500000Z'})
        self.umld.requests.clear()
        before = time.time() - 600
        self.ok('events', '--since', '10m')
        text = self.sent('Server.Subscribe')['sinceTime']
        when = calendar.timegm(time.strptime(text[:19], '%Y-%m-%dT%H:%M:%S'))
        self.assertLess(abs(when - before), 60)
        self.umld.requests.clear()
        for word in ('yesterday', '-1', '2026-01-31', '5x'):
            self.assertIn('how long ago', self.usage('events', '--since', word))

    def follow_through_a_restart(self, first):
        """What a follower asks when its connection breaks after these replies."""
        replies = b''.join(json.dumps({'parameters': p, 'continues': True}).encode() + b'\0' for p in first)
        asked = []

        def script(params, call):
            asked.append(params)
            if len(asked) == 1:
                raise Raw(replies)
            return self.event(99)
        self.script('Server.Subscribe', script)
        done = self.run_ctl('events', '--follow', '--guest', 'web')
        self.assertEqual(done.returncode, 0, done.stderr)
        return asked, done

    def test_a_follower_goes_on_after_the_last_event_it_saw(self):
        asked, done = self.follow_through_a_restart([{'at': 40}, self.event(41), self.event(45)])
        self.assertEqual([p.get('since') for p in asked], [None, 45])
        self.assertEqual(asked[1]['guests'], ['web'])
        self.assertIn('going on after event 45', done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 3)

    def test_a_follower_of_little_goes_on_where_it_was_told_to_be(self):
        asked, _ = self.follow_through_a_restart([{'at': 40}, self.event(41), {'at': 2000}])
        self.assertEqual(asked[1]['since'], 2000)
        asked, done = self.follow_through_a_restart([{'lost': {'from': 1, 'to': 77}}])
        self.assertEqual(asked[1]['since'], 77)
        self.assertNotIn('"at"', done.stdout)

    def test_a_follower_gives_up_when_its_time_is_up(self):
        def script(params, call):
            os.unlink(self.umld.path)
            raise Raw(json.dumps({'parameters': {'at': 7}, 'continues': True}).encode() + b'\0')
        self.script('Server.Subscribe', script)
        text = self.fails(14, 'events', '--follow', '--timeout', '500ms')
        self.assertIn('umlctl events --follow --since 7', text)

    def test_progress_of_a_start_on_a_terminal(self):
        self.script('Guest.Start', [{'changed': True, 'state': s, 'ready': s == 'running'}
                                    for s in ('preparing', 'booting', 'running')])
        term = Terminal(['start', 'web'], self.env)
        status, _ = term.end()
        self.assertEqual(status, 0)
        self.assertIn(b'web: starting: booting ...', term.text)
        self.assertTrue(term.text.endswith(b'web: running, ready\r\n'), term.text)
        self.assertTrue(self.umld.calls('io.umld.Guest.Start')[0]['more'])
        self.ok('start', 'web')
        self.assertNotIn('more', self.umld.calls('io.umld.Guest.Start')[1])

    def test_call_more(self):
        self.script('X', [{'a': 1}, {'a': 2}])
        self.assertEqual(self.ok('call', '--more', 'io.umld.X'), '{"a":1}\n{"a":2}\n')


if __name__ == '__main__':
    unittest.main()
