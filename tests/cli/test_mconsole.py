"""umlctl mconsole: commands one at a time, from standard input, and the shell on a terminal."""

import json
import os
import sys
import unittest

from fake_umld import Case, Error, UMLCTL, common, guest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fakes'))
from terminal import Terminal  # noqa: E402


class Base(Case):
    def setUp(self):
        super().setUp()
        self.env['HOME'] = self.dir
        self.env.pop('XDG_STATE_HOME', None)
        self.script('Guest.Mconsole', lambda p, c: {'text': f"<{p['name']}: {p['command']}>", 'status': 0})
        self.script('Guest.Interrupt', {})

    def commands(self):
        return [p['command'] for p in self.umld.params('io.umld.Guest.Mconsole')]


class Mconsole(Base):
    def test_the_shells_own_commands_work_as_words_too(self):
        self.assertEqual(self.ok('mconsole', 'web', 'int'), '')
        self.assertEqual(self.sent('Guest.Interrupt'), {'name': 'web'})
        self.assertIn('    switch GUEST - ', self.ok('mconsole', 'web', 'help'))

    def test_a_file_goes_to_the_log_line_by_line(self):
        with open(os.path.join(self.dir, 'notes'), 'w', encoding='utf-8') as f:
            f.write('first\n  second\n')
        self.script('Guest.Mconsole', {'text': '', 'status': 0})
        self.assertEqual(self.ok('mconsole', 'web', '--', 'log', '-f', 'notes'), '')
        self.assertEqual(self.commands(), ['log first\n  second\n'])
        self.assertIn('cannot read missing: No such file', self.fails(2, 'mconsole', 'web', '--', 'log', '-f', 'missing'))

    def test_a_forgotten_double_dash_is_no_force(self):
        self.usage('mconsole', 'web', 'log', '-f', 'notes')

    def test_bytes_that_are_no_utf8_do_not_stop_the_rest(self):
        with open(os.path.join(self.dir, 'notes'), 'wb') as f:
            f.write(b'gr\xfc\xdf\n')
        self.ok('mconsole', 'web', '--', 'log', '-f', 'notes')
        self.assertEqual(self.commands(), ['log gr??\n'])

    def test_the_status_is_that_of_the_last_command(self):
        self.script('Guest.Mconsole', lambda p, c: {'text': 'no', 'status': -22 if p['command'] == 'go' else 0})
        done = self.run_ctl('mconsole', 'web', stdin='version\ngo\n')
        self.assertEqual((done.returncode, done.stdout), (1, 'no\n'))
        self.assertIn("the guest's kernel: no", done.stderr)
        self.assertEqual(self.run_ctl('mconsole', 'web', stdin='go\nversion\nquit\n').returncode, 0)
        self.assertEqual(self.run_ctl('mconsole', 'web', stdin='go\nquit\n').returncode, 1)

    def test_an_error_of_the_daemon_is_told_with_its_status(self):
        def silent(params, call):
            raise Error('GuestUnresponsive', **common('its kernel did not answer in time'))

        self.script('Guest.Mconsole', silent)
        self.assertIn('did not answer in time', self.fails(10, 'mconsole', 'web', 'version'))
        self.assertIn('did not answer in time', self.fails(10, 'mconsole', 'web', stdin='version\n'))

    def test_a_busy_device_comes_with_advice(self):
        self.script('Guest.Mconsole', {'text': 'Device is currently open', 'status': -16})
        self.assertIn('unmount the disk in the guest', self.fails(1, 'mconsole', 'web', 'remove', 'ubd1'))

    def test_json_is_one_reply_a_line_and_nothing_else(self):
        self.script('Guest.Get', {'guest': guest('db')})
        out = self.ok('--json', 'mconsole', 'web', stdin='version\nswitch db\nhelp\n')
        self.assertEqual([json.loads(line)['text'] for line in out.splitlines()], ['<web: version>', '<db: help>'])

    def test_an_answer_with_nuls_and_escapes_is_shown_whole_and_clean(self):
        self.script('Guest.Mconsole', {'text': 'a\0b\x1b[2Jc', 'status': 0})
        self.assertEqual(self.ok('mconsole', 'web', 'version'), 'a?b?[2Jc\n')

    def test_switch_asks_for_the_guest_first(self):
        def get(params, call):
            if params['name'] != 'db':
                raise Error('NotFound', **common('no such guest'))
            return {'guest': guest('db')}

        self.script('Guest.Get', get)
        done = self.run_ctl('mconsole', 'web', stdin='switch nobody\nversion\nswitch db\nversion\n')
        self.assertEqual(done.stdout, "<web: version>\nSwitched to 'db'\n<db: version>\n")
        self.assertIn('no such guest', done.stderr)


class OnATerminal(Base):
    def terminal(self):
        terminal = Terminal([UMLCTL, 'mconsole', 'web'], self.env, self.dir)
        self.addCleanup(terminal.close)
        terminal.expect('web> ')
        return terminal

    def test_devices_are_completed_and_no_keys_of_the_definition(self):
        self.script('Guest.Config', {'values': [{'device': d, 'value': d, 'where': 'both'}
                                                for d in ('con0', 'kernel', 'label:tier')]})
        terminal = self.terminal()
        for typed, sent in (('config ker', 'config ker'), ('config lab', 'config lab'), ('config co', 'config con0')):
            terminal.type(f'{typed}\t\r')
            terminal.expect(f'<web: {sent}>')
            terminal.expect('web> ')
        terminal.type('\x04')
        self.assertEqual(terminal.wait(), 0)

    def test_a_session(self):
        self.script('Guest.Get', {'guest': guest('db')})
        self.script('Guest.List', {'guests': [guest('web'), guest('db')]})
        self.script('Guest.Config', {'values': [{'device': d, 'value': d, 'where': 'both'} for d in ('con0', 'ubd0')]})
        terminal = self.terminal()
        terminal.type('vers\t\r')
        terminal.expect('<web: version>')
        terminal.expect('web> ')
        terminal.type('config u\t\r')
        terminal.expect('<web: config ubd0>')
        terminal.expect('web> ')
        terminal.type('switch d\t\r')
        terminal.expect("Switched to 'db'")
        terminal.expect('db> ')
        terminal.type('int\r')
        terminal.expect('db> ')
        terminal.type('halt\x03')
        terminal.expect('db> ')
        terminal.type('\x1b[A\x1b[A\x1b[A\r')
        terminal.expect('<db: config ubd0>')
        terminal.expect('db> ')
        terminal.type('\x04')
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(self.sent('Guest.Interrupt'), {'name': 'db'})
        with open(os.path.join(self.dir, '.local/state/umld/mconsole_history'), encoding='utf-8') as f:
            self.assertEqual(f.read().splitlines(),
                             ['version', 'config ubd0', 'switch db', 'int', 'config ubd0'])


if __name__ == '__main__':
    unittest.main()
