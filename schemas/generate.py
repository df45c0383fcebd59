#!/usr/bin/env python3
"""Makes C from the interface definitions: `generate.py WHAT OUTPUT FILE.varlink...`

rows-c   the dispatch table with type descriptions and the interfaces' texts
rows-h   handlers' prototypes and enum api_method_id
names-h  method names as string constants, for programs that include nothing else
stubs-c  weak handlers that answer with a minimal valid reply, for tests and fuzzing
"""

import json
import re
import sys

import idl

PREFIX = 'io.umld.'
NOTE = '/* Made by schemas/generate.py from the interface definitions: do not edit. */\n'


def snake(name):
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name).lower()


def stem(interface, method):
    """io.umld.Guest.ResetFailed -> guest_reset_failed"""
    short = interface.name.rsplit('.', 1)[-1]
    return f'{snake(short)}_{snake(method.name)}'


def rows(interfaces):
    found = {}
    for interface in interfaces.values():
        for method in interface.methods.values():
            key = stem(interface, method)
            if key in found:
                other = found[key]
                raise idl.IdlError(f'{interface.name}.{method.name} and {other[0].name}.'
                                   f'{other[1].name} would share the handler api_{key}')
            found[key] = (interface, method)
    return found


def c_string(text):
    out = ''
    for byte in text.encode():
        if byte in b'\\"':
            out += '\\' + chr(byte)
        elif 32 <= byte < 127:
            out += chr(byte)
        else:
            out += '\\n' if byte == 10 else f'\\{byte:03o}'
    return f'"{out}"'


class Types:
    """Constant objects for each type in use; equal types share one."""

    def __init__(self):
        self.known = {}
        self.forward = []
        self.code = []

    def words(self, words):
        key = ('words', tuple(words))
        if key not in self.known:
            self.known[key] = f'words_{len(self.known)}'
            items = braces([c_string(w) for w in words] + ['NULL'],
                           f'static const char *const {self.known[key]}[] = ')
            self.code.append(items)
        return self.known[key]

    def constraints(self, checks):
        items = []
        for c in checks:
            item = {'rule': f'API_RULE_{c.kind.upper()}'}
            if c.kind in ('range', 'length'):
                low = f'INT64_C({c.low})' if c.low > -2**63 else 'INT64_MIN'
                item |= {'min': low, 'max': f'INT64_C({c.high})'}
            elif c.kind == 'pattern':
                item['pattern'] = f'API_PATTERN_{c.pattern.upper()}'
            else:
                item['words'] = self.words(c.words)
            items.append(designated(item))
        key = ('constraints', tuple(items))
        if key not in self.known:
            name = self.known[key] = f'constraints_{len(self.known)}'
            self.code.append(table(f'static const struct api_constraint {name}[]', items))
        return self.known[key]

    def fields(self, interface, fields):
        items = []
        for f in fields:
            item = {'name': c_string(f.name), 'type': '&' + self.add(interface, f.type)}
            if f.checks:
                item |= {'constraints': self.constraints(f.checks),
                         'constraint_count': len(f.checks)}
            items.append(designated(item))
        name = f'fields_{len(self.code)}'
        self.code.append(table(f'static const struct api_field {name}[]', items))
        return name

    def key(self, interface, t, nullable):
        inner = self.key(interface, t.element, t.element.nullable) if t.element else None
        if t.kind == 'named':
            return (interface.name, t.name, nullable)
        fields = tuple((f.name, self.key(interface, f.type, f.type.nullable),
                        tuple(str(c) for c in f.checks)) for f in t.fields)
        return (t.kind, tuple(t.words), fields, inner, nullable)

    def add(self, interface, t, nullable=None):
        nullable = t.nullable if nullable is None else nullable
        key = self.key(interface, t, nullable)
        if key in self.known:
            return self.known[key]
        if t.kind == 'named':
            # Known before its fields are looked at: types may refer to themselves.
            name = self.known[key] = f'type_{snake(t.name)}_{len(self.known)}'
            self.forward.append(f'static const struct api_type {name};')
            t = interface.types[t.name]
        else:
            name = self.known[key] = f'type_{t.kind}_{len(self.known)}'
        item = {'kind': f'API_KIND_{t.kind.upper()}'}
        if nullable:
            item['nullable'] = 'true'
        if t.kind == 'enum':
            item['words'] = self.words(t.words)
        if t.fields:
            item |= {'fields': self.fields(interface, t.fields), 'field_count': len(t.fields)}
        if t.element:
            item['element'] = '&' + self.add(interface, t.element)
        self.code.append(f'static const struct api_type {name} = {designated(item, "    ")};\n')
        return name


def designated(item, indent=None):
    parts = [f'.{k} = {v}' for k, v in item.items()]
    if indent is None or len(parts) < 3:
        return '{' + ', '.join(parts) + '}'
    return '{\n' + ''.join(f'{indent}{p},\n' for p in parts) + indent[4:] + '}'


def braces(items, start):
    """start{a, b, c}; with line breaks."""
    return start + '{' + ', '.join(items) + '};\n'


def table(declaration, items):
    return declaration + ' = {\n' + ''.join(f'    {i},\n' for i in items) + '};\n'


def row(key, interface, method, types):
    flags = ' | '.join(f'API_{f.upper()}' for f in method.flags) or '0'
    item = {'name': c_string(f'{interface.name}.{method.name}'),
            'role': f'API_ROLE_{method.role.upper()}', 'flags': flags, 'handler': f'api_{key}',
            'input': '&' + types.add(interface, method.input),
            'output': '&' + types.add(interface, method.output)}
    return f'[API_METHOD_{key.upper()}] = {designated(item, "        ")}'


def make_rows_c(interfaces):
    types = Types()
    table_rows = [row(k, i, m, types) for k, (i, m) in rows(interfaces).items()]
    out = NOTE + '/* clang-format off: one row per line */\n#include "schemas/api_rows.h"\n\n'
    if types.forward:
        out += '\n'.join(types.forward) + '\n\n'
    out += '\n'.join(types.code) + '\n'
    out += table('const struct api_method api_methods[]', table_rows)
    out += '\nconst size_t api_method_count = UM_ARRAY_LEN(api_methods);\n\n'
    texts = []
    for interface in interfaces.values():
        lines = interface.text.splitlines(keepends=True)
        text = '\n'.join('             ' + c_string(line) for line in lines).lstrip()
        texts.append(f'{{.name = {c_string(interface.name)},\n     .text = {text}}}')
    out += table('const struct api_interface api_interfaces[]', texts)
    return out + '\nconst size_t api_interface_count = UM_ARRAY_LEN(api_interfaces);\n'


def make_rows_h(interfaces):
    out = NOTE + '/* clang-format off */\n#ifndef SCHEMAS_API_ROWS_H\n#define SCHEMAS_API_ROWS_H\n\n'
    out += '#include "umld/api_type.h"\n\nenum api_method_id {\n'
    out += ''.join(f'    API_METHOD_{k.upper()},\n' for k in rows(interfaces))
    out += '    API_METHOD_COUNT\n};\n\n'
    for key, (interface, method) in rows(interfaces).items():
        out += (f'/* {interface.name}.{method.name} */\n'
                f'void api_{key}(struct umld *umld, struct api_call *call,\n'
                f'    const json_t *params);\n')
    return out + '\n#endif\n'


def make_names_h(interfaces):
    out = NOTE + '#ifndef SCHEMAS_API_NAMES_H\n#define SCHEMAS_API_NAMES_H\n\n'
    for key, (interface, method) in rows(interfaces).items():
        out += f'#define API_{key.upper()} {c_string(f"{interface.name}.{method.name}")}\n'
    out += '\n/* X(name, whether it takes ifRevision) for each method that changes something. */\n'
    out += '#define API_CHANGING(X)'
    for key, (_, method) in rows(interfaces).items():
        if 'mutates' in method.flags:
            revision = 'ifRevision' in (f.name for f in method.input.fields)
            out += f' \\\n    X(API_{key.upper()}, {str(revision).lower()})'
    out += '\n'
    return out + '\n#endif\n'


def minimal(interface, t):
    """A smallest value of a type; optional members are left out."""
    if t.kind == 'named':
        return minimal(interface, interface.types[t.name])
    if t.kind == 'struct':
        return {f.name: minimal(interface, f.type) for f in t.fields if not f.type.nullable}
    return {'bool': False, 'int': 0, 'float': 0.0, 'string': '', 'object': {}, 'map': {},
            'array': []}.get(t.kind, t.words[0] if t.words else None)


STUB = '''
__attribute__((weak)) void api_{key}(
    um_unused struct umld *umld, struct api_call *call, um_unused const json_t *params)
{{
    {verb}(call, {reply});
}}
'''

STUBS_HEAD = '''/* clang-format off */
#include "schemas/api_rows.h"

#include <sys/socket.h>

static void um_unused stub_reply(struct api_call *call, const char *text)
{
    api_reply(call, json_loads(text, 0, NULL));
}

static void um_unused stub_upgrade(struct api_call *call, const char *text)
{
    struct api_upgrade up;

    if (!api_upgrade_offer(call, json_loads(text, 0, NULL), &up))
        return;
    send(up.fd, up.reply.data, up.reply.len, MSG_NOSIGNAL); /* a client that is gone needs none */
    um_buf_done(&up.reply);
    api_upgrade_taken(call);
}
'''


def make_stubs_c(interfaces):
    out = NOTE + STUBS_HEAD
    for key, (interface, method) in rows(interfaces).items():
        if not interface.name.startswith(PREFIX):
            continue  # answered by the server itself
        reply = c_string(json.dumps(minimal(interface, method.output)))
        verb = 'stub_upgrade' if 'upgrade' in method.flags else 'stub_reply'
        out += STUB.format(key=key, verb=verb, reply=reply)
    return out


MAKERS = {'rows-c': make_rows_c, 'rows-h': make_rows_h, 'names-h': make_names_h,
          'stubs-c': make_stubs_c}


def main(args):
    if len(args) < 3 or args[0] not in MAKERS:
        sys.exit(__doc__)
    try:
        text = MAKERS[args[0]](idl.parse_files(args[2:]))
    except (idl.IdlError, OSError) as error:
        sys.exit(f'generate.py: {error}')
    with open(args[1], 'w', encoding='utf-8') as file:
        file.write(text)


if __name__ == '__main__':
    main(sys.argv[1:])
