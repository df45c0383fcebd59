"""umlctl net: what each verb asks the daemon, what it prints."""

import unittest

from fake_umld import Case

NETWORK = {'definition': {'name': 'lan', 'mode': 'switch', 'mtu': 9000, 'macAge': 100, 'macGuard': 0, 'maxPorts': 1024,
                          'storm': 0, 'loopGuard': False},
           'runtime': {'state': 'failed', 'kept': False, 'restarts': 4, 'cause': 'it died', 'ports': 2,
                       'guests': ['web', 'db']},
           'revision': 3, 'createdAt': '2026-01-01T00:00:00Z'}


def port(name, **more):
    return {'id': 1, 'name': name, 'up': True, 'holding': False, 'dropping': False, 'isHeld': False, 'inFrames': 10,
            'inBytes': 1000, 'outFrames': 20, 'outBytes': 2000, 'held': 1, 'waiting': 5, 'drops': {}, **more}


class Net(Case):
    def test_create_and_edit_send_properties(self):
        self.script('Network.Create', {'network': NETWORK, 'changed': True})
        self.script('Network.Update', {'network': NETWORK, 'changed': False})
        self.assertEqual(self.ok('net', 'create', 'lan', 'mode=hub', 'mtu=9000', 'mac-age=0', 'ports=4',
                                 'loop-guard=on'), 'lan: created\n')
        self.assertEqual(self.sent('Network.Create')['definition'],
                         {'name': 'lan', 'mode': 'hub', 'mtu': 9000, 'macAge': 0, 'maxPorts': 4, 'loopGuard': True})
        self.assertEqual(self.ok('net', 'edit', 'lan', 'storm=7', '--if-revision', '3'), 'lan: is so already\n')
        sent = self.sent('Network.Update')
        self.assertEqual((sent['change'], sent['ifRevision']), ({'storm': 7}, 3))

    def test_words_that_cannot_be_are_usage_errors(self):
        self.assertIn('mode= must be switch or hub', self.fails(2, 'net', 'create', 'lan', 'mode=both'))
        self.assertIn('mtu= must be a number', self.fails(2, 'net', 'create', 'lan', 'mtu=big'))
        error = self.fails(2, 'net', 'edit', 'lan', 'speed=9')
        self.assertIn('"speed=9" is no property', error)
        self.assertIn('storm=', error)
        self.usage('net', 'edit', 'lan')
        self.assertIn('belong together', self.usage('net', 'macs', 'lan', '--fix', '02:00:00:00:00:05'))

    def test_list_and_show(self):
        self.script('Network.List', {'networks': [NETWORK]})
        self.script('Network.Get', {'network': NETWORK})
        self.assertEqual(self.ok('net', 'ls').splitlines()[1].split(), ['lan', 'failed', 'switch', '2', 'web,db'])
        out = self.ok('net', 'show', 'lan')
        self.assertIn('  state        failed: it died\n', out)
        self.assertIn('  guests       web db\n', out)
        self.assertIn('  mtu          9000\n', out)
        self.assertIn('  loop-guard   off\n', out)
        self.assertNotIn('pid', out)

    def test_remove_and_restart(self):
        self.script('Network.Remove', {'changed': True})
        self.script('Network.Restart', {'network': NETWORK, 'changed': True})
        self.assertEqual(self.ok('net', 'rm', 'lan'), 'lan: removed\n')
        self.assertEqual(self.ok('net', 'restart', 'lan'), 'lan: restarted\n')
        self.assertIn('would remove network lan', self.ok('net', 'rm', 'lan', '--dry-run'))

    def test_ports_fit_a_terminal(self):
        rows = [port('web/net0', drops={'slow': 3, 'storm': 4}),
                port('a-guest-with-a-very-long-name-indeed/net15', up=False, inBytes=10 ** 12),
                port('db/net0', holding=True)]
        self.script('Network.Ports', {'ports': rows})
        lines = self.ok('net', 'ports', 'lan').splitlines()
        self.assertEqual(lines[1].split(), ['web/net0', 'up', '10', '1000', '20', '2000', '7', '5'])
        self.assertEqual([line.split()[1] for line in lines[1:]], ['up', 'down', 'holding'])
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_stats_are_sums_by_reason(self):
        self.script('Network.Ports', {'ports': [port('a', drops={'slow': 3}), port('b', drops={'slow': 1, 'storm': 2})]})
        self.assertEqual(self.ok('net', 'stats', 'lan'),
                         'frames 20  bytes 2000  held 2  waiting 10  drops slow=4 storm=2\n')
        self.script('Network.Ports', {'ports': []})
        self.assertEqual(self.ok('net', 'stats', 'lan'), 'frames 0  bytes 0  held 0  waiting 0  drops none\n')

    def test_addresses(self):
        self.script('Network.Macs', {'macs': [
            {'mac': '02:00:00:00:00:05', 'vlan': 7, 'port': 'web/net0', 'fixed': False, 'ageMs': 65000},
            {'mac': '02:00:00:00:00:06', 'vlan': 0, 'port': 'db/net0', 'fixed': True}]})
        self.script('Network.FixMac', {'changed': True})
        self.script('Network.ForgetMac', {'changed': False})
        lines = self.ok('net', 'macs', 'lan').splitlines()
        self.assertEqual(lines[1].split(), ['02:00:00:00:00:05', '7', 'web/net0', '1m05s'])
        self.assertEqual(lines[2].split(), ['02:00:00:00:00:06', '0', 'db/net0', 'fixed'])
        self.assertEqual(self.ok('net', 'macs', 'lan', '--fix', '02:00:00:00:00:05', '--port', 'web/net0', '--vlan=7'),
                         '02:00:00:00:00:05: fixed\n')
        self.assertEqual(self.sent('Network.FixMac'),
                         {'name': 'lan', 'mac': '02:00:00:00:00:05', 'port': 'web/net0', 'vlan': 7})
        self.assertEqual(self.ok('net', 'macs', 'lan', '--forget', '02:00:00:00:00:05'),
                         '02:00:00:00:00:05: was not known\n')


if __name__ == '__main__':
    unittest.main()
