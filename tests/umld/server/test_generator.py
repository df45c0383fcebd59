"""Interface definitions with faults must not make it through the generator."""

import glob
import os
import sys
import unittest

SCHEMAS = os.environ['SCHEMAS']
sys.path.insert(0, SCHEMAS)
import generate  # noqa: E402
import idl  # noqa: E402

HEAD = 'interface a.b\n'
METHOD = HEAD + '# @role viewer\n{notes}method M({input}) -> ({output})\n'


def method(notes='', given='name: string', output=''):
    return METHOD.format(notes=notes, input=given, output=output)


def change(given, interface='a.b', notes=''):
    return f'interface {interface}\n# @role admin\n# @mutates\n{notes}method M({given}) -> ()'


BAD = {
    'no interface': ('type T (a: int)', "expected 'interface'"),
    'bad interface name': ('interface nodot\n', 'not a valid interface name'),
    'method without role': (HEAD + 'method M() -> ()', 'no @role'),
    'unknown role': (HEAD + '# @role god\nmethod M() -> ()', '@role must be'),
    'two roles': (method('# @role admin\n'), '@role must be given once'),
    'unknown annotation': (method('# @fast\n'), 'unknown or repeated annotation'),
    'flag twice': (method('# @long\n# @long\n'), 'unknown or repeated annotation'),
    'loose annotation': (HEAD + '# @role viewer\n\nmethod M() -> ()', 'no @role'),
    'annotation at the end': (method() + '\n# @long\n', 'not directly above'),
    'annotated error': (HEAD + '# @long\nerror E ()', 'no annotations'),
    'flag on a type': (HEAD + '# @long\ntype T (a: int)', 'not for types'),
    'check of unknown field': (method('# @check nmae pattern name\n'), "unknown field 'nmae'"),
    'unknown rule': (method('# @check name regex x\n'), 'unknown rule'),
    'unknown pattern': (method('# @check name pattern mac\n'), 'pattern must be'),
    'rule twice': (method('# @check name length 1 2\n# @check name length 1 3\n'), 'second length'),
    'range of a string': (method('# @check name range 1 2\n'), 'the field is string'),
    'pattern of an int': (method('# @check n pattern name\n', 'n: int'), 'the field is int'),
    'empty range': (method('# @check n range 2 1\n', 'n: int'), 'is not a range'),
    'range not numbers': (method('# @check n range a b\n', 'n: int'), 'two whole numbers'),
    'enum without words': (method('# @check name enum\n'), 'list of different words'),
    'method twice': (method() + method()[len(HEAD):], 'defined twice'),
    'field twice': (method(given='a: int, a: int'), 'used twice'),
    'enum word twice': (method(given='a: (x, x)'), 'used twice'),
    'unknown type': (method(given='a: Nothing'), 'unknown type Nothing'),
    'not a type': (method(given='a: integer'), 'not a type'),
    'nullable twice': (method(given='a: ??int'), 'is not a type'),
    'map of ints': (method(given='a: [int]int'), "expected 'string'"),
    'enum as parameters': (HEAD + '# @role viewer\nmethod M(a, b) -> ()', 'expected fields'),
    'change without a requestId': (change('name: string, dryRun: ?bool'), 'needs `requestId: ?string`'),
    'change without a dryRun': (change('requestId: ?string'), 'needs `dryRun: ?bool`'),
    'dryRun that must be given': (change('requestId: ?string, dryRun: bool'), 'needs `dryRun'),
    'requestId that is a number': (change('requestId: ?int, dryRun: ?bool'), 'needs `requestId'),
    'change of a guest without ifRevision': (
        change('name: string, requestId: ?string, dryRun: ?bool', 'io.umld.Guest'), 'needs `ifRevision: ?int`'),
    'exempt without a reason': (change('requestId: ?string', notes='# @exempt dryRun\n'), 'and the reason'),
    'exempt from what it has': (change('requestId: ?string, dryRun: ?bool', notes='# @exempt dryRun why\n'),
                                'need not have it'),
    'exempt from what none has': (change('requestId: ?string, dryRun: ?bool', notes='# @exempt name why\n'),
                                  'need not have it'),
    'exempt without a change': (method('# @exempt dryRun why\n'), 'is for methods with @mutates'),
    'unclosed': (HEAD + 'type T (a: int', "expected ','"),
    'odd character': (HEAD + 'type T (a: int;)', 'unexpected character'),
    'unknown member': (HEAD + 'property P ()', 'expected type, method or error'),
}


class Generator(unittest.TestCase):
    def test_each_fault_is_found_and_its_line_named(self):
        for name, (text, message) in BAD.items():
            with self.subTest(name), self.assertRaises(idl.IdlError) as caught:
                idl.Parser('a.varlink', text).parse()
            self.assertIn(message, str(caught.exception), name)
            self.assertRegex(str(caught.exception), r'^a\.varlink:\d+: ')

    def test_the_whole_language_is_understood(self):
        text = HEAD + '''
# A tree refers to itself.
# @check name length 1 8
type Tree (name: string, left: ?Tree, list: ?[]Tree, any: ?object, f: float,
  kinds: [](one, two), map: ?[string](a: int, b: ?[]?bool), empty: ())
type Word (one, two)
# @role owner
# @mutates
# @upgrade
# @exempt dryRun a stream cannot be tried
# @check names pattern name
method DoIt(tree: Tree, w: Word, names: []string, requestId: ?string) -> (tree: ?Tree)
error Bad (why: string)
'''
        interface = idl.Parser('a.varlink', text).parse()
        interfaces = {interface.name: interface}
        self.assertEqual(interface.methods['DoIt'].flags, ['mutates', 'upgrade'])
        self.assertEqual(interface.types['Tree'].fields[0].checks[0].high, 8)
        code = generate.make_rows_c(interfaces)
        self.assertIn('.handler = api_b_do_it', code)
        self.assertIn('API_MUTATES | API_UPGRADE', code)
        names = generate.make_names_h(interfaces)
        self.assertIn('#define API_B_DO_IT "a.b.DoIt"', names)
        self.assertIn('X(API_B_DO_IT, false)', names)
        self.assertEqual([c.high for c in interface.methods['DoIt'].input.fields[-1].checks], [128])

    def test_handlers_of_one_name_are_refused(self):
        one = idl.Parser('1', 'interface a.b\n# @role none\nmethod M() -> ()').parse()
        two = idl.Parser('2', 'interface c.b\n# @role none\nmethod M() -> ()').parse()
        with self.assertRaisesRegex(idl.IdlError, 'would share the handler api_b_m'):
            generate.rows({one.name: one, two.name: two})

    def test_every_interface_file_is_used(self):
        with open(os.path.join(SCHEMAS, 'meson.build'), encoding='utf-8') as file:
            build = file.read()
        for path in glob.glob(os.path.join(SCHEMAS, '*.varlink')):
            self.assertIn(f"'{os.path.basename(path)}'", build)


if __name__ == '__main__':
    unittest.main()
