#!/usr/bin/env python3
"""Make the initramfs of the kernel probe: make-cpio.py OUTPUT INIT.

An uncompressed newc archive (Documentation/driver-api/early-userspace/buffer-format.rst) written
directly, because a device node and files of root are otherwise only to be had as root. The same
input gives the same bytes.
"""

import os
import stat
import sys


def member(inode, name, mode, data=b"", device=(0, 0)):
    """One archive member: header of 13 hexadecimal fields, name, contents, each padded to 4."""
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    head += b"\0" * (-len(head) % 4)
    return head + data + b"\0" * (-len(data) % 4)


def archive(init):
    entries = [
        ("dev", stat.S_IFDIR | 0o755, b"", (0, 0)),
        ("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)),
        ("proc", stat.S_IFDIR | 0o555, b"", (0, 0)),
        ("init", stat.S_IFREG | 0o755, init, (0, 0)),
        ("TRAILER!!!", 0, b"", (0, 0)),
    ]
    out = b"".join(member(i + 1, *entry) for i, entry in enumerate(entries))
    return out + b"\0" * (-len(out) % 512)


def main():
    if len(sys.argv) != 3:
        print("usage: make-cpio.py OUTPUT INIT", file=sys.stderr)
        return 2
    output, init = sys.argv[1:]
    with open(init, "rb") as file:
        data = archive(file.read())
    temporary = output + ".new"
    with open(temporary, "wb") as file:
        file.write(data)
    os.replace(temporary, output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
