#!/usr/bin/env python3
"""Turn schemas/sql/*.sql, in the order of their names, into the db_migrations[] table of umld/db.h.

Usage: embed_sql.py OUTPUT FILE.sql...
"""
import sys


def literal(text):
    lines = []
    for line in text.splitlines():
        code = line.split("--")[0].rstrip()
        if code:
            lines.append('    "%s\\n"' % code.replace("\\", "\\\\").replace('"', '\\"'))
    return "\n".join(lines)


def main(output, files):
    with open(output, "w") as out:
        out.write('#include "umld/db.h"\n\nconst char *const db_migrations[] = {\n')
        for name in sorted(files):
            with open(name) as f:
                out.write(literal(f.read()) + ",\n")
        out.write("};\nconst int db_migration_count = %d;\n" % len(files))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
