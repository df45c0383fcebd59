"""Which guests a command is about, and what becomes of each when there are many."""

import json
import threading
import unittest

from fake_umld import Case, Error, common, guest, wait_until

STOPPED = {'changed': True, 'state': 'stopped'}


def fleet(*rows):
    """Guests of (name, labels)."""
    guests = []
    for name, labels in rows:
        g = guest(name)
        g['definition']['labels'] = labels
        guests.append(g)
    return {'guests': guests}


class Select(Case):
    def setUp(self):
        super().setUp()
        self.script('Guest.List', fleet(('web1', {'customer': '7', 'tier': 'front'}), ('db', {'customer': '7'}),
                                        ('web2', {'customer': '8', 'tier': 'front'}), ('bare', {})))
        self.script('Guest.Stop', STOPPED)

    def stopped(self, *words):
        self.umld.requests.clear()
        out = self.ok('stop', *words)
        names = [p['name'] for p in self.umld.params('io.umld.Guest.Stop')]
        # In parallel: which is sent first is not told, which is reported first is.
        self.assertEqual(sorted(out.splitlines()), sorted(f'{name}: stopped' for name in names))
        return out.split(': stopped\n')[:-1]

    def test_patterns_labels_and_all(self):
        for words, names in (
                (['web*'], ['web1', 'web2']),
                (['w?b2', 'd[ab]'], ['web2', 'db']),
                (['web2', 'web*', 'web2'], ['web2', 'web1']),
                (['web2,bare', 'd*,web1'], ['web2', 'bare', 'db', 'web1']),
                (['-l', 'customer=7'], ['web1', 'db']),
                (['-l', 'customer'], ['web1', 'db', 'web2']),
                (['-l', 'customer!=7'], ['web2', 'bare']),
                (['--label', 'customer=7', '--label=tier=front'], ['web1']),
                (['-l', 'tier', '-l', 'customer!=7'], ['web2']),
                (['web*', '-l', 'customer=7'], ['web1']),
                (['db,bare', '-l', 'customer!=8'], ['db', 'bare']),
                (['--all'], ['web1', 'db', 'web2', 'bare']),
                (['-a', '-l', 'tier=front'], ['web1', 'web2'])):
            with self.subTest(words):
                self.assertEqual(self.stopped(*words), names)

    def test_names_alone_are_not_looked_up(self):
        self.ok('stop', 'web1', 'other')
        self.assertEqual(self.umld.calls('io.umld.Guest.List'), [])

    def test_list_and_metrics_are_about_those_named(self):
        self.script('Server.Metrics', {'metrics': []})
        for words, names in (
                ([], ['web1', 'db', 'web2', 'bare']),
                (['web*'], ['web1', 'web2']),
                (['bare,db'], ['db', 'bare']),
                (['-l', 'customer=7'], ['web1', 'db'])):
            with self.subTest(words):
                rows = self.ok('list', *words).splitlines()[1:]
                self.assertEqual([row.split()[0] for row in rows], names)
                reply = json.loads(self.ok('--json', 'list', *words))
                self.assertEqual([g['definition']['name'] for g in reply['guests']], names)
                self.umld.requests.clear()
                self.ok('metrics', *words)
                asked = self.umld.params('io.umld.Server.Metrics')[0].get('guests')
                self.assertEqual(sorted(asked) if words else asked, sorted(names) if words else None)
        for words in (['nix'], ['web1', 'nix'], ['-l', 'customer=9'], ['nix*']):
            with self.subTest(words):
                self.assertIn('nix' if 'nix' in words[-1] else 'no guest fits', self.fails(7, 'list', *words))

    def test_logs_of_several_have_headings(self):
        def read(params, _):
            if params['name'] == 'db':
                raise Error('NotFound', message='no log')
            text = f"said by {params['name']}\n"
            return {'data': text if params['offset'] == 0 else '', 'offset': params['offset'], 'next': len(text),
                    'size': len(text), 'boot': 1}
        self.script('Console.Read', read)
        self.assertEqual(self.ok('logs', 'web1'), 'said by web1\n')
        self.assertEqual(self.ok('logs', 'web*'),
                         '==> web1 <==\nsaid by web1\n\n==> web2 <==\nsaid by web2\n')
        self.assertEqual([json.loads(line)['name'] for line in self.ok('--json', 'logs', 'web1,bare').splitlines()],
                         ['web1', 'bare'])
        self.assertIn('no log', self.fails(15, 'logs', 'web1,db'))
        self.assertIn('name one guest', self.fails(2, 'logs', '--follow', 'web*'))

    def test_what_fits_nothing_is_an_error_and_nothing_happens(self):
        for words in (['nix*'], ['web1', 'nix*'], ['-l', 'customer=9'], ['web*', '-l', 'customer=9'],
                      ['db', '-l', 'tier']):
            with self.subTest(words):
                self.assertIn('no guest fits "', self.fails(7, 'stop', *words))
        self.script('Guest.List', {'guests': []})
        self.fails(7, 'stop', '--all')
        self.assertEqual(self.umld.calls('io.umld.Guest.Stop'), [])

    def test_wrong_words(self):
        self.assertIn('no guest is named', self.usage('stop'))
        self.assertIn('exclude each other', self.usage('stop', 'web', '--all'))
        self.assertIn('KEY, KEY=VALUE or KEY!=VALUE', self.usage('stop', '-l', '=7'))
        self.assertIn('KEY, KEY=VALUE or KEY!=VALUE', self.usage('stop', '-l', '!=7'))
        self.assertIn("a guest's name is missing", self.usage('stop', 'web,'))
        self.assertIn('from 1 to 48', self.usage('stop', 'web', '--parallel', '0'))
        self.assertIn('from 1 to 48', self.usage('stop', 'web', '-P', '49'))
        self.assertIn('--console works with one guest', self.usage('start', 'web*', '--console'))

    def test_every_command_about_guests_takes_several(self):
        state = {'changed': True, 'state': 'running'}
        for command, method, reply in (
                (['start'], 'Start', {**state, 'ready': True}), (['stop'], 'Stop', state), (['kill'], 'Kill', state),
                (['reboot'], 'Reboot', state), (['pause'], 'Pause', state), (['resume'], 'Resume', state),
                (['reset-failed'], 'ResetFailed', state), (['remove'], 'Remove', {'changed': True}),
                (['cad'], 'Mconsole', {'text': '', 'status': 0}), (['status'], 'Get', {'guest': guest()}),
                (['show'], 'Get', {'guest': guest()}),
                (['explain'], 'Explain', {'state': 'stopped', 'text': 'stopped', 'causes': [], 'advice': []})):
            with self.subTest(command):
                self.umld.requests.clear()
                self.script('Guest.' + method, reply)
                self.script('Console.List', {'consoles': []})
                self.assertTrue(self.ok(*command, 'web*', 'db'))
                self.assertEqual(sorted(p['name'] for p in self.umld.params('io.umld.Guest.' + method)),
                                 ['db', 'web1', 'web2'])

    def test_commands_with_more_words_take_several_in_the_first(self):
        self.script('Guest.Wait', lambda p, c: {'guest': guest(p['name'])})
        self.assertEqual(self.ok('wait', 'web*,db', 'ready'),
                         'web1: running, ready\nweb2: running, ready\ndb: running, ready\n')
        self.script('Guest.Config', lambda p, c: {'values': [
            {'device': 'mem', 'value': 'mem=64M', 'where': 'stored'}]})
        self.assertEqual(self.ok('config', 'web*', 'mem'), 'web1: mem=64M\nweb2: mem=64M\n')
        self.script('Guest.Update', lambda p, c: {'guest': guest(p['name'], 'stopped'), 'changed': True})
        self.assertEqual(self.ok('config', '*', '-l', 'customer=7', 'mem=1G', '-u', 'con1'),
                         'web1: changed\ndb: changed\n')
        self.assertEqual([p['set'] for p in self.umld.params('io.umld.Guest.Update')], [['mem=1G']] * 2)
        self.script('Guest.Mconsole', lambda p, c: {'text': f'SysRq on {p["name"]}\nmore\n', 'status': 0})
        self.assertEqual(self.ok('sysrq', 'web1,db', 's'),
                         'web1: SysRq on web1\nweb1: more\ndb: SysRq on db\ndb: more\n')
        self.assertEqual({p['command'] for p in self.umld.params('io.umld.Guest.Mconsole')}, {'sysrq s'})

    def test_one_mconsole_command_for_several(self):
        self.script('Guest.Mconsole', lambda p, c: {'text': p['command'] + '\n', 'status': 0})
        self.assertEqual(self.ok('mconsole', 'web*', 'config', 'con1'), 'web1: config con1\nweb2: config con1\n')
        self.assertEqual(self.ok('mconsole', 'web*,db', '-l', 'customer=7', '--', 'proc', 'version'),
                         'web1: proc version\ndb: proc version\n')
        self.script('Guest.Mconsole', lambda p, c: {'text': 'no', 'status': int(p['name'] == 'web2')})
        self.assertIn('guest "web2": the guest\'s kernel: no', self.fails(15, 'mconsole', 'web*', 'version'))
        self.assertIn('the shell speaks to one guest', self.fails(2, 'mconsole', 'web*'))

    def test_sysrq_and_cad(self):
        self.script('Guest.Mconsole', {'text': '', 'status': 0})
        self.assertEqual(self.ok('cad', 'web'), 'web: done\n')
        self.assertEqual(self.sent('Guest.Mconsole'), {'name': 'web', 'command': 'cad'})
        self.umld.requests.clear()
        self.ok('sysrq', 'web', 't', '--force')
        self.assertEqual(self.sent('Guest.Mconsole'), {'name': 'web', 'command': 'sysrq t', 'force': True})
        self.script('Guest.Mconsole', {'text': 'Sysrq not compiled in', 'status': 1})
        self.assertIn("the guest's kernel: Sysrq not compiled in", self.fails(1, 'sysrq', 'web', 's'))
        self.fails(2, 'sysrq', 'web')

    def test_json_names_each_guest(self):
        def stop(params, call):
            if params['name'] == 'db':
                raise Error('Busy', **common('in use', 'guest "db"', retryable=True))
            return STOPPED
        self.script('Guest.Stop', stop)
        done = self.run_ctl('--json', 'stop', '-l', 'customer=7')
        self.assertEqual(done.returncode, 15)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(lines[0], {'name': 'web1', **STOPPED})
        self.assertEqual((lines[1]['name'], lines[1]['error']), ('db', 'io.umld.Server.Busy'))
        self.assertTrue(lines[1]['parameters']['retryable'])


class Options(Case):
    """--dry-run, --request-id and --if-revision."""

    def test_they_go_to_the_methods_that_take_them(self):
        for words, method, reply, params in (
                (['stop', 'web'], 'Guest.Stop', STOPPED, {'requestId', 'ifRevision', 'dryRun'}),
                (['kernel', 'rm', 'k'], 'Kernel.Remove', {'changed': True}, {'requestId', 'dryRun'}),
                (['image', 'build', 'busybox'], 'Image.Build', {'job': '1', 'changed': True}, {'requestId', 'dryRun'}),
                (['settings', 'a=b'], 'Server.Set', {'changed': True}, {'requestId', 'dryRun'})):
            with self.subTest(words):
                self.umld.requests.clear()
                self.script(method, reply)
                options = ['--request-id', 'r', '--dry-run', *(['--if-revision=3'] if 'ifRevision' in params else [])]
                out = self.ok(*options, *words)
                self.assertIn('would ', out)
                sent = self.sent(method)
                self.assertEqual(params, set(sent) & {'requestId', 'ifRevision', 'dryRun'})
                self.assertEqual((sent['requestId'], sent['dryRun'], sent.get('ifRevision', 3)), ('r', True, 3))

    def test_a_dry_run_says_what_would_happen(self):
        self.script('Guest.Start', lambda p, c: {'changed': p['name'] == 'one', 'ready': False,
                                                 'state': 'stopped' if p['name'] == 'one' else 'running'})
        self.assertEqual(self.ok('start', 'one', 'two', '--dry-run'),
                         'one: would start (it is stopped)\ntwo: would not have to start (it is running)\n')
        self.script('Job.Cancel', {'changed': False})
        self.assertEqual(self.ok('job', 'cancel', '7', '--dry-run'), 'would not have to cancel job 7\n')
        self.script('Server.Shutdown', {})
        self.assertEqual(self.ok('shutdown', '--dry-run'), 'would end umld; guests go on\n')

    def test_each_of_several_guests_has_an_id_of_its_own(self):
        self.script('Guest.List', fleet(('a1', {}), ('a2', {})))
        self.script('Guest.Stop', STOPPED)
        self.ok('stop', 'a*', '--request-id', 'tonight')
        self.assertEqual({p['name']: p['requestId'] for p in self.umld.params('io.umld.Guest.Stop')},
                         {'a1': 'tonight/a1', 'a2': 'tonight/a2'})

    def test_where_they_do_not_fit(self):
        self.assertIn('--dry-run does not go with list', self.usage('list', '--dry-run'))
        self.assertIn('--request-id does not go with show', self.usage('--request-id=x', 'show', 'web'))
        self.assertIn('--if-revision does not go with create', self.usage('create', 'web', '--if-revision', '2'))
        self.assertIn('must be a number', self.usage('stop', 'web', '--if-revision', 'two'))
        self.assertIn('about one guest, here are 2', self.usage('stop', 'a', 'b', '--if-revision', '2'))


class Many(Case):
    """200 guests."""

    names = [f'g{i:03}' for i in range(200)]

    def setUp(self):
        super().setUp()
        self.script('Guest.List', fleet(*((name, {}) for name in self.names)))
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.least = 1  # so many are under way together before the first is answered
        self.ended = set()

    def stop(self, params, call):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        wait_until(lambda: self.most >= self.least)
        with self.lock:
            self.now -= 1
            self.ended.add(params['name'])
        return STOPPED

    def test_all_are_done_and_as_many_at_once_as_told(self):
        self.script('Guest.Stop', self.stop)
        for limit, words in ((16, []), (3, ['--parallel', '3']), (1, ['-P1'])):
            self.most, self.least, self.ended = 0, limit, set()
            out = self.ok('stop', 'g*', *words)
            self.assertEqual(out.splitlines(), [f'{name}: stopped' for name in self.names])
            self.assertEqual(len(self.ended), 200)
            self.assertEqual(self.most, limit)

    def test_one_that_hangs_holds_up_no_other(self):
        """The first is answered only when all others have been: with a fixed order that would never be."""
        def stop(params, call):
            if params['name'] == self.names[0]:
                wait_until(lambda: len(self.ended) == 199)
                return STOPPED
            return self.stop(params, call)
        self.script('Guest.Stop', stop)
        out = self.ok('stop', '--all', '--parallel=2')
        self.assertEqual(out.splitlines(), [f'{name}: stopped' for name in self.names])

    def test_each_has_its_own_time_limit(self):
        gone = threading.Event()
        self.addCleanup(gone.set)

        def stop(params, call):
            if params['name'] == self.names[0]:
                gone.wait(100)
            return self.stop(params, call)
        self.script('Guest.Stop', stop)
        done = self.run_ctl('--json', '--timeout', '1', 'stop', 'g*')
        self.assertEqual(done.returncode, 15, done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([line['name'] for line in lines], self.names)
        self.assertEqual([line for line in lines if line.get('state') != 'stopped'],
                         [{'name': 'g000', 'error': None, 'parameters': None}])
        self.assertIn('guest "g000": the daemon did not answer in time', done.stderr)


if __name__ == '__main__':
    unittest.main()
