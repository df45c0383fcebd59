"""Varlink interface definitions: parser of the whole language, and umld's annotations in comments.

A method's annotations stand in the comment directly above it:
    # @role none|viewer|owner|admin      who may call it (required)
    # @mutates  @long  @upgrade          flags of its row
    # @check FIELD range MIN MAX | length MIN MAX | pattern name|path|device | enum WORD...
    # @exempt PARAMETER REASON...         a @mutates method that cannot have it, and why
A @mutates method is repeatable, can be tried, and does not run over another's change: it declares
requestId: ?string (1 to 128 bytes) and dryRun: ?bool, and one about an existing guest (`name`, in
io.umld.Guest and io.umld.Console) ifRevision: ?int.
A type may have @check lines too; they hold wherever the type is used in a method's input.
"""

import re
from dataclasses import dataclass, field

ROLES = ('none', 'viewer', 'owner', 'admin')
FLAGS = ('mutates', 'long', 'upgrade')
PATTERNS = ('name', 'path', 'device')
ABOUT_GUESTS = ('io.umld.Guest', 'io.umld.Console')
REQUEST_ID_MAX = 128
PRIMITIVES = ('bool', 'int', 'float', 'string', 'object')


class IdlError(Exception):
    pass


@dataclass
class Type:
    """kind: a primitive, 'enum', 'struct', 'array', 'map' or 'named'."""
    kind: str
    nullable: bool = False
    name: str = ''
    words: list = field(default_factory=list)
    fields: list = field(default_factory=list)
    element: 'Type' = None


@dataclass
class Field:
    name: str
    type: Type
    line: int
    checks: list = field(default_factory=list)


@dataclass
class Check:
    kind: str
    line: int
    low: int = 0
    high: int = 0
    pattern: str = ''
    words: list = field(default_factory=list)


@dataclass
class Method:
    name: str
    input: Type
    output: Type
    role: str
    flags: list
    line: int


@dataclass
class Interface:
    name: str
    path: str
    text: str
    types: dict = field(default_factory=dict)
    methods: dict = field(default_factory=dict)
    errors: dict = field(default_factory=dict)


TOKEN = re.compile(r'(?P<blank>[ \t\r]+)|(?P<newline>\n)|(?P<comment>#[^\n]*)|(?P<arrow>->)'
                   r'|(?P<punct>[():,?\[\]])|(?P<word>[A-Za-z0-9][A-Za-z0-9_.\-]*)')
INTERFACE_NAME = re.compile(r'[A-Za-z]([A-Za-z0-9]|-[A-Za-z0-9])*'
                            r'(\.[A-Za-z0-9]([A-Za-z0-9]|-[A-Za-z0-9])*)+')
MEMBER_NAME = re.compile(r'[A-Z][A-Za-z0-9]*')
FIELD_NAME = re.compile(r'[A-Za-z](_?[A-Za-z0-9])*')
INTEGER = re.compile(r'-?[0-9]+')


class Parser:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.tokens = []
        self.comments = {}  # line -> text, for annotations
        self.pos = 0
        self.scan()

    def fail(self, line, message):
        raise IdlError(f'{self.path}:{line}: {message}')

    def scan(self):
        line, at = 1, 0
        while at < len(self.text):
            m = TOKEN.match(self.text, at)
            if not m:
                self.fail(line, f'unexpected character {self.text[at]!r}')
            if m.lastgroup == 'newline':
                line += 1
            elif m.lastgroup == 'comment':
                self.comments[line] = m.group()[1:].strip()
            elif m.lastgroup != 'blank':
                self.tokens.append((m.group(), line))
            at = m.end()
        self.tokens.append(('', line))  # the end

    def peek(self, ahead=0):
        return self.tokens[min(self.pos + ahead, len(self.tokens) - 1)][0]

    def line(self):
        return self.tokens[self.pos][1]

    def take(self, want=None):
        text, line = self.tokens[self.pos]
        if want is not None and text != want:
            self.fail(line, f'expected {want!r}, found {text or "end of file"!r}')
        if text == '':
            self.fail(line, 'unexpected end of file')
        self.pos += 1
        return text

    def take_name(self, pattern, what):
        line, text = self.line(), self.take()
        if not pattern.fullmatch(text):
            self.fail(line, f'{text!r} is not a valid {what}')
        return text

    def parse(self):
        self.take('interface')
        interface = Interface(self.take_name(INTERFACE_NAME, 'interface name'), self.path, self.text)
        self.first_line = self.line()
        members = {'type': self.parse_type_member, 'method': self.parse_method,
                   'error': self.parse_error}
        while self.peek():
            line, word = self.line(), self.take()
            if word not in members:
                self.fail(line, f'expected type, method or error, found {word!r}')
            notes = self.annotations(line)
            name = self.take_name(MEMBER_NAME, f'{word} name')
            if name in {**interface.types, **interface.methods, **interface.errors}:
                self.fail(line, f'{name} is defined twice')
            members[word](interface, name, line, notes)
        self.check_comments_used()
        self.resolve(interface)
        return interface

    # Annotations ---------------------------------------------------------------------------------

    def annotations(self, line):
        """The @ lines of the comment block that ends directly above line."""
        first = line
        while first - 1 in self.comments:
            first -= 1
        notes = []
        for n in range(first, line):
            text = self.comments.pop(n)
            if text.startswith('@'):
                notes.append((n, text[1:].split()))
        return notes

    def check_comments_used(self):
        for line, text in self.comments.items():
            if text.startswith('@'):
                self.fail(line, f'annotation {text!r} is not directly above a method or type')

    def parse_check(self, line, args, fields):
        if len(args) < 2:
            self.fail(line, '@check needs a field and a rule')
        target = next((f for f in fields if f.name == args[0]), None)
        if not target:
            self.fail(line, f'@check of unknown field {args[0]!r}')
        check = Check(args[1], line)
        rest = args[2:]
        if check.kind in ('range', 'length'):
            if len(rest) != 2 or not all(INTEGER.fullmatch(r) for r in rest):
                self.fail(line, f'@check {check.kind} needs two whole numbers')
            check.low, check.high = map(int, rest)
            if check.low > check.high or not all(-2**63 <= int(r) < 2**63 for r in rest):
                self.fail(line, f'@check {check.kind}: {check.low}..{check.high} is not a range')
        elif check.kind == 'pattern':
            if len(rest) != 1 or rest[0] not in PATTERNS:
                self.fail(line, f'@check pattern must be one of {", ".join(PATTERNS)}')
            check.pattern = rest[0]
        elif check.kind == 'enum':
            if not rest or len(set(rest)) != len(rest):
                self.fail(line, '@check enum needs a list of different words')
            check.words = rest
        else:
            self.fail(line, f'unknown rule {check.kind!r} of @check')
        if any(c.kind == check.kind for c in target.checks):
            self.fail(line, f'second {check.kind} rule for {target.name}')
        target.checks.append(check)

    def method_notes(self, line, notes, fields):
        role, flags, exempt = None, [], set()
        for n, words in notes:
            word, args = (words or [''])[0], words[1:]
            if word == 'check':
                self.parse_check(n, args, fields)
            elif word == 'role':
                if role or len(args) != 1 or args[0] not in ROLES:
                    self.fail(n, f'@role must be given once, as one of {", ".join(ROLES)}')
                role = args[0]
            elif word == 'exempt':
                if len(args) < 2:
                    self.fail(n, '@exempt needs a parameter and the reason')
                exempt.add(args[0])
            elif word in FLAGS and not args and word not in flags:
                flags.append(word)
            else:
                self.fail(n, f'unknown or repeated annotation @{" ".join(words)}')
        if not role:
            self.fail(line, 'method has no @role')
        return role, flags, exempt

    def check_mutates(self, interface, name, line, fields, exempt):
        """What every changing method must be able to take; @exempt is for what it cannot."""
        found = {f.name: f for f in fields}
        wanted = {'requestId': 'string', 'dryRun': 'bool'}
        about = found.get('name')
        if interface.name in ABOUT_GUESTS and about and not about.type.nullable:
            wanted['ifRevision'] = 'int'
        for parameter in exempt:
            if parameter not in wanted or parameter in found:
                self.fail(line, f'@exempt {parameter}: {name} need not have it, or has it')
        for parameter, kind in wanted.items():
            f = found.get(parameter)
            if parameter in exempt:
                continue
            if not f or f.type.kind != kind or not f.type.nullable:
                self.fail(line, f'{name} changes something: it needs `{parameter}: ?{kind}`, '
                                f'or `# @exempt {parameter} REASON`')
            if parameter == 'requestId' and not f.checks:
                f.checks.append(Check('length', f.line, 1, REQUEST_ID_MAX))

    # Members and types ---------------------------------------------------------------------------

    def parse_type_member(self, interface, name, line, notes):
        parsed = self.parse_bracket(line)
        for n, words in notes:
            if not words or words[0] != 'check':
                self.fail(n, f'annotation @{" ".join(words)} is not for types')
            self.parse_check(n, words[1:], parsed.fields)
        interface.types[name] = parsed

    def parse_method(self, interface, name, line, notes):
        given = self.parse_struct()
        self.take('->')
        result = self.parse_struct()
        role, flags, exempt = self.method_notes(line, notes, given.fields)
        if 'mutates' in flags:
            self.check_mutates(interface, name, line, given.fields, exempt)
        elif exempt:
            self.fail(line, f'@exempt is for methods with @mutates, which {name} is not')
        interface.methods[name] = Method(name, given, result, role, flags, line)

    def parse_error(self, interface, name, line, notes):
        if notes:
            self.fail(notes[0][0], 'errors have no annotations')
        interface.errors[name] = self.parse_struct()

    def parse_struct(self):
        line = self.line()
        parsed = self.parse_bracket(line)
        if parsed.kind != 'struct':
            self.fail(line, 'expected fields `(name: type, ...)`')
        return parsed

    def parse_bracket(self, line):
        """A struct or an enum: the first `:` or `,` tells."""
        self.take('(')
        if self.peek() == ')':
            self.take()
            return Type('struct')
        if self.peek(1) == ':':
            parsed, one = Type('struct'), self.parse_field
            into = parsed.fields
        else:
            parsed, one = Type('enum'), lambda: self.take_name(FIELD_NAME, 'enum value')
            into = parsed.words
        while True:
            into.append(one())
            if self.peek() == ')':
                break
            self.take(',')
        self.take(')')
        names = [f.name for f in parsed.fields] or parsed.words
        if len(set(names)) != len(names):
            self.fail(line, f'a name is used twice in ({", ".join(names)})')
        return parsed

    def parse_field(self):
        line = self.line()
        name = self.take_name(FIELD_NAME, 'field name')
        self.take(':')
        return Field(name, self.parse_type(), line)

    def parse_type(self):
        line, word = self.line(), self.peek()
        if word == '?':
            self.take()
            inner = self.parse_type()
            if inner.nullable:
                self.fail(line, '`??` is not a type')
            inner.nullable = True
            return inner
        if word == '[':
            self.take()
            kind = 'array'
            if self.peek() != ']':
                self.take('string')
                kind = 'map'
            self.take(']')
            return Type(kind, element=self.parse_type())
        if word == '(':
            return self.parse_bracket(line)
        word = self.take()
        if word in PRIMITIVES:
            return Type(word)
        if MEMBER_NAME.fullmatch(word):
            return Type('named', name=word)
        self.fail(line, f'{word!r} is not a type')

    # Meaning -------------------------------------------------------------------------------------

    def resolve(self, interface):
        def walk(t, line):
            if t.kind == 'named' and t.name not in interface.types:
                self.fail(line, f'unknown type {t.name}')
            if t.element:
                walk(t.element, line)
            for f in t.fields:
                walk(f.type, f.line)
                for c in f.checks:
                    self.check_fits(interface, f, c)

        for name, t in interface.types.items():
            walk(t, self.first_line)
        for m in interface.methods.values():
            walk(m.input, m.line)
            walk(m.output, m.line)
        for t in interface.errors.values():
            walk(t, self.first_line)

    def check_fits(self, interface, f, check):
        t = f.type
        if check.kind in ('pattern', 'enum') and t.kind == 'array':
            t = t.element  # the rule holds for each element
        allowed = {'range': ('int',), 'length': ('string', 'array', 'map'),
                   'pattern': ('string',), 'enum': ('string',)}[check.kind]
        if t.kind not in allowed:
            self.fail(check.line, f'@check {f.name} {check.kind}: the field is {t.kind}, '
                                  f'the rule is for {" or ".join(allowed)}')


def parse_files(paths):
    interfaces = {}
    for path in paths:
        with open(path, encoding='utf-8') as file:
            interface = Parser(path.rsplit('/', 1)[-1], file.read()).parse()
        if interface.name in interfaces:
            raise IdlError(f'{path}: interface {interface.name} is defined twice')
        interfaces[interface.name] = interface
    return interfaces
