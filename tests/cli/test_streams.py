"""Consoles, logs, events, progress and run: everything that is more than one reply."""

import base64
import json
import re
import signal
import subprocess
import termios
import threading
import time
import unittest

from fake_umld import Case, Error, Terminal, UMLCTL, Upgrade, common, guest, wait_until


class Console(Case):
    def setUp(self):
        super().setUp()
        self.got = b''
        self.hang_up = threading.Event()
        self.script('Console.Attach', self.attach)
        self.script('Console.Resize', {})

    def attach(self, params, call):
        self.assertTrue(call.get('upgrade'))
        raise Upgrade({'device': params.get('device') or 'con0', 'boot': 3}, self.talk,
                      b'old output\r\n')

    def talk(self, conn):
        conn.sendall(b'login: ')
        conn.settimeout(0.05)
        while not self.hang_up.is_set():
            try:
                data = conn.recv(4096)
                if not data:
                    return
                self.got += data
                conn.sendall(data.upper())
            except TimeoutError:
                pass

    def test_escape_detaches_and_restores_the_terminal(self):
        term = Terminal(['console', 'web'], self.env)
        term.expect(b'login: ')
        term.type(b'root\r~~x~.y\r')
        wait_until(lambda: self.got.endswith(b'y\r'))
        term.type(b'\x03~.')
        time.sleep(0.1)
        self.assertIsNone(term.proc.poll(), 'a tilde not at line start detached')
        term.type(b'\r~.')
        status, restored = term.end()
        self.assertEqual((status, restored), (0, True))
        wait_until(lambda: len(self.got) >= len(b'root\r~x~.y\r\x03~.\r'))
        self.assertEqual(self.got, b'root\r~x~.y\r\x03~.\r')
        self.assertIn(b'old output', term.text)
        self.assertIn(b'to detach type Enter ~ .', term.text)
        self.assertIn(b'detached', term.text)
        self.assertEqual(self.sent('Console.Attach'), {'name': 'web', 'back': 4096})

    def test_resize_follows_the_terminal(self):
        term = Terminal(['console', 'web', 'con1'], self.env)
        term.expect(b'login: ')
        termios.tcsetwinsize(term.slave, (40, 132))
        wait_until(lambda: len(self.umld.params('io.umld.Console.Resize')) >= 2)
        term.type(b'~.')
        self.assertEqual(term.end(), (0, True))
        self.assertEqual(self.umld.params('io.umld.Console.Resize'),
                         [{'name': 'web', 'device': 'con1', 'rows': 24, 'columns': 100},
                          {'name': 'web', 'device': 'con1', 'rows': 40, 'columns': 132}])

    def test_terminal_is_restored_on_signals_and_hangup(self):
        for how in ('TERM', 'HUP', 'ABRT', 'close'):
            with self.subTest(how):
                self.hang_up.clear()
                term = Terminal(['console', 'web'], self.env)
                term.expect(b'login: ')
                if how == 'close':
                    self.hang_up.set()
                else:
                    term.proc.send_signal(getattr(signal, 'SIG' + how))
                status, restored = term.end()
                self.assertTrue(restored)
                self.assertEqual(status, {'close': 0, 'ABRT': -signal.SIGABRT}.get(how, 13))

    def test_options(self):
        self.hang_up.set()
        self.ok('console', 'web', 'ssl1', '--read-only', '--steal')
        self.assertEqual(self.sent('Console.Attach'), {
            'name': 'web', 'device': 'ssl1', 'readOnly': True, 'steal': True, 'back': 4096})

    def test_piped_input_is_sent_as_it_is(self):
        threading.Timer(0.5, self.hang_up.set).start()
        out = self.ok('console', 'web', stdin='~.\nx')
        self.assertEqual(self.got, b'~.\nx')
        self.assertEqual(out, 'old output\nlogin: ~.\nX')

    def test_not_running(self):
        def refuse(params, call):
            raise Error('NotRunning', **common('it is stopped'))
        self.script('Console.Attach', refuse)
        self.assertIn('guest "web": it is stopped', self.fails(7, 'console', 'web'))

    def test_start_console_waits_until_it_is_booting(self):
        tries = []

        def attach(params, call):
            tries.append(1)
            if len(tries) < 3:
                raise Error('NotRunning', **common('it is preparing'))
            self.hang_up.set()
            return self.attach(params, call)
        self.script('Console.Attach', attach)
        self.script('Guest.Get', {'guest': guest(state='preparing')})
        self.script('Guest.Start', {'changed': True, 'state': 'preparing', 'ready': False})
        self.assertIn('login: ', self.ok('start', 'web', '--console'))
        self.assertEqual(self.sent('Guest.Start'), {'name': 'web', 'wait': 'none'})

    def test_the_first_lines_of_a_kernel_are_no_staircase(self):
        """On a raw terminal only: they end in bare line feeds until the guest has a terminal."""
        def attach(params, call):
            raise Upgrade({'device': 'con0', 'boot': 1}, self.talk, b'Core dump\nChecking\nInit\r\nraw\nlines\n')
        self.script('Console.Attach', attach)
        self.script('Guest.Start', {'changed': True, 'state': 'booting', 'ready': False})
        term = Terminal(['start', 'web', '--console'], self.env)
        term.expect(b'login: ')
        term.type(b'~.')
        self.assertEqual(term.end(), (0, True))
        self.assertIn(b'Core dump\r\nChecking\r\nInit\r\nraw\nlines\nlogin: ', term.text)
        self.hang_up.set()
        done = subprocess.run([UMLCTL, 'start', 'web', '--console'], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, timeout=60, check=True)
        self.assertIn(b'Core dump\nChecking\nInit\r\n', done.stdout)

    def test_start_console_of_a_guest_that_fails_at_once(self):
        def refuse(params, call):
            raise Error('NotRunning', **common('it is failed'))
        self.script('Console.Attach', refuse)
        self.script('Guest.Get', {'guest': guest(state='failed', cause='no such kernel')})
        self.script('Guest.Start', {'changed': True, 'state': 'preparing', 'ready': False})
        self.assertIn('no such kernel', self.fails(12, 'start', 'web', '--console'))


class Logs(Case):
    def setUp(self):
        super().setUp()
        self.log = ''.join(f'line {i}\n' for i in range(100000))
        self.script('Console.Read', self.read)

    def read(self, p, _call):
        size, offset = len(self.log), p.get('offset', 0)
        offset = max(0, size + offset) if offset < 0 else min(offset, size)
        data = self.log[offset:offset + p['maxBytes']]
        return {'data': data, 'boot': p.get('boot', 5), 'offset': offset,
                'next': offset + len(data), 'size': size}

    def test_whole_log_in_pieces(self):
        self.assertEqual(self.ok('logs', 'web'), self.log)
        self.assertGreater(len(self.umld.params('io.umld.Console.Read')), 3)

    def test_boot_and_device(self):
        self.log = 'x'
        self.ok('logs', 'web', 'ssl0', '--boot', '2')
        self.assertEqual(self.sent('Console.Read'), {
            'name': 'web', 'device': 'ssl0', 'boot': 2, 'offset': 0, 'maxBytes': 262144})

    def test_tail(self):
        self.assertEqual(self.ok('logs', 'web', '--tail', '2'), 'line 99998\nline 99999\n')
        self.assertEqual(self.ok('logs', 'web', '-n', '9000'),
                         ''.join(self.log.splitlines(True)[-9000:]))
        self.assertEqual(self.ok('logs', 'web', '--tail', '0'), '')
        self.log = 'a\nb'
        self.assertEqual(self.ok('logs', 'web', '--tail', '1'), 'b')
        self.assertEqual(self.ok('logs', 'web', '--tail', '5'), 'a\nb')
        self.log = ''
        self.assertEqual(self.ok('logs', 'web', '--tail', '5'), '')

    def test_nul_bytes_and_json(self):
        self.log = 'a\0b\n'
        self.assertEqual(self.ok('logs', 'web'), 'a\0b\n')
        self.assertEqual(json.loads(self.ok('--json', 'logs', 'web'))['data'], 'a\0b\n')

    def test_follow_begins_at_the_tail(self):
        def attach(params, call):
            raise Upgrade({'device': 'con0', 'boot': 5}, lambda conn: conn.sendall(b'new\n'))
        self.script('Console.Attach', attach)
        self.log = 'one\ntwo\nthree\n'
        self.assertEqual(self.ok('logs', 'web', '--follow', '--tail', '2'), 'new\n')
        self.assertEqual(self.sent('Console.Attach'),
                         {'name': 'web', 'readOnly': True, 'back': len('two\nthree\n')})
        self.umld.requests.clear()
        self.ok('logs', 'web', '-f')
        self.assertEqual(self.sent('Console.Attach')['back'], -1)


class Run(Case):
    def setUp(self):
        super().setUp()
        self.end = {'exitStatus': 42, 'cause': 'exit status 42'}
        self.block = threading.Event()
        self.tries = 0
        self.got = b''
        self.fed = threading.Event()
        self.script('Image.List', {'images': [
            {'name': 'busybox', 'path': '/i/b.img', 'kind': 'busybox', 'bytes': 1,
             'createdAt': ''}]})
        self.script('Guest.Create', {'guest': guest(state='stopped'), 'changed': True})
        self.script('Guest.Start', {'changed': True, 'state': 'preparing', 'ready': False})
        self.script('Guest.Get', {'guest': guest(state='booting')})
        self.script('Guest.Wait', lambda p, c: {'guest': guest(state='stopped', **self.end)})
        self.script('Guest.Kill', {'changed': True, 'state': 'stopped'})
        self.script('Guest.Remove', {'changed': True})
        self.script('Console.Attach', self.attach)

    def attach(self, params, call):
        self.tries += 1
        if self.tries < 3:
            raise Error('NotRunning', **common('it is preparing'))

        def talk(conn):
            conn.sendall(b'world\n')
            if hasattr(self, 'hold'):
                self.block.wait(60)
            self.fed.wait(60)

        def feed(conn):
            greedy = hasattr(self, 'greedy')
            while not self.got.endswith(b'0\n'):
                if greedy and len(self.got) >= len('2048\n') + 2048:
                    conn.settimeout(1)  # nothing more may come
                try:
                    self.got += conn.recv(4096)
                except TimeoutError:
                    break
                if not greedy:
                    conn.sendall(b'\n')
            self.fed.set()
        if params['device'] == 'ssl1':
            raise Upgrade({'device': 'ssl1', 'boot': 1}, feed, b'')
        raise Upgrade({'device': 'ssl0', 'boot': 1}, talk, b'hello ')

    def test_output_and_exit_status(self):
        done = self.run_ctl('run', 'mem=96M', '--', 'echo', "it's", '$HOME', stdin='typed')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (42, 'hello world\n', ''))
        self.assertEqual(self.got, b'5\ntyped0\n')
        d = self.sent('Guest.Create')['definition']
        self.assertRegex(d['name'], r'^run-[0-9a-f]{6}$')
        self.assertEqual(d['devices'], ['ubd0r=/i/b.img', 'ssl0=managed', 'ssl1=managed', 'mem=96M'])
        self.assertEqual((d['restart'], d['labels']), ('never', {'run': 'yes'}))
        self.assertEqual(d['cmdline'][0], 'quiet')
        self.assertEqual(d['cmdline'][1], 'umld.input=ssl1')
        word = re.fullmatch(r'umld\.run=([A-Za-z0-9_-]+)', d['cmdline'][2])[1]
        self.assertEqual(base64.urlsafe_b64decode(word + '=' * (-len(word) % 4)),
                         b"'echo' 'it'\\''s' '$HOME'")
        self.assertEqual(self.sent('Guest.Start'), {'name': d['name'], 'wait': 'none'})
        self.assertEqual(self.umld.params('io.umld.Console.Attach')[-2:],
                         [{'name': d['name'], 'device': 'ssl0', 'back': -1},
                          {'name': d['name'], 'device': 'ssl1', 'back': 0}])
        self.assertEqual([p['condition'] for p in self.umld.params('io.umld.Guest.Wait')], ['ready', 'exit'])
        self.assertEqual(self.sent('Guest.Remove'), {'name': d['name'], 'force': True})
        self.assertEqual(self.umld.calls('io.umld.Guest.Kill'), [])

    def test_input_goes_in_small_pieces(self):
        done = self.run_ctl('run', '--', 'cat', stdin='x' * 5000)
        self.assertEqual(done.returncode, 42)
        self.assertEqual(self.got, b'2048\n%s2048\n%s904\n%s0\n' % (b'x' * 2048, b'x' * 2048, b'x' * 904))

    def test_a_piece_waits_for_the_receipt_of_the_last(self):
        self.greedy = True
        self.run_ctl('run', '--', 'cat', stdin='x' * 5000)
        self.assertEqual(self.got, b'2048\n' + b'x' * 2048)

    def test_keep(self):
        self.run_ctl('run', '--keep', '--', 'true')
        self.assertEqual(self.umld.calls('io.umld.Guest.Remove'), [])

    def test_missing_image(self):
        text = self.fails(7, 'run', '--image', 'debian', '--', 'true')
        self.assertIn('image "debian": there is no such image '
                      '(umlctl image build busybox --name debian)', text)
        self.assertEqual(self.umld.calls('io.umld.Guest.Create'), [])

    def test_too_long(self):
        self.assertIn('at most 2800 fit', self.fails(2, 'run', '--', 'x' * 2100))
        self.assertEqual(self.umld.calls('io.umld.Guest.Create'), [])

    def test_crash_is_12_and_removed(self):
        for end in ({'exitSignal': 11, 'cause': 'killed by signal 11'},
                    {'exitStatus': 1, 'cause': 'kernel panic: boom'}, {}):
            self.end = end
            self.umld.requests.clear()
            text = self.fails(12, 'run', '--', 'true')
            self.assertIn(end.get('cause', 'cause unknown'), text)
            self.assertEqual(len(self.umld.calls('io.umld.Guest.Remove')), 1)

    def test_failed_start_removes_the_guest(self):
        def refuse(params, call):
            raise Error('KernelUnsafe', **common('no usable kernel'))
        self.script('Guest.Start', refuse)
        self.assertIn('no usable kernel', self.fails(5, 'run', '--', 'true'))
        self.assertEqual(len(self.umld.calls('io.umld.Guest.Remove')), 1)

    def test_guest_gone_before_anybody_attached(self):
        def refuse(params, call):
            raise Error('NotRunning', **common('it is stopped'))
        self.script('Console.Attach', refuse)
        self.script('Guest.Get', {'guest': guest(state='stopped')})
        self.script('Console.Read', {'data': 'kept\n', 'boot': 1, 'offset': 0, 'next': 5,
                                     'size': 5})
        done = self.run_ctl('run', '--', 'true')
        self.assertEqual((done.returncode, done.stdout), (42, 'kept\n'))

    def interrupt(self, *words):
        self.hold = True
        with subprocess.Popen([UMLCTL, *words], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            self.assertEqual(p.stdout.readline(), b'hello world\n')
            if '--timeout' not in words:
                p.send_signal(signal.SIGINT)
            status = p.wait(60)
        self.block.set()
        for method in ('Kill', 'Remove'):
            self.assertEqual(len(self.umld.calls('io.umld.Guest.' + method)), 1, method)
        return status

    def test_interrupt_kills_and_removes(self):
        self.assertEqual(self.interrupt('run', '--', 'sleep', '100'), 13)

    def test_interrupt_while_the_guest_still_waits_for_its_turn(self):
        def refuse(params, call):
            raise Error('NotRunning', **common('it is preparing'))
        self.script('Console.Attach', refuse)
        self.script('Guest.Get', {'guest': guest(state='preparing')})
        with subprocess.Popen([UMLCTL, 'run', '--', 'true'], env=self.env,
                              stderr=subprocess.DEVNULL) as p:
            wait_until(lambda: self.umld.calls('io.umld.Console.Attach'))
            p.send_signal(signal.SIGINT)
            self.assertEqual(p.wait(60), 13)
        self.assertEqual(len(self.umld.calls('io.umld.Guest.Kill')), 1)
        self.assertEqual(len(self.umld.calls('io.umld.Guest.Remove')), 1)

    def test_time_limit_kills_and_removes(self):
        self.assertEqual(self.interrupt('run', '--timeout', '5s', '--', 'sleep', '100'), 10)


if __name__ == '__main__':
    unittest.main()
