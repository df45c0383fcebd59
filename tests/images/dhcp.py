"""The smallest DHCP server (RFC 2131): one address, over raw Ethernet frames."""

import socket
import struct

ADDRESS, SERVER, MASK, DNS = "10.9.8.7", "10.9.8.1", "255.255.255.0", "10.9.8.53"
DOMAIN = b"lan.test"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
MAGIC = b"\x63\x82\x53\x63"


def option(code, data):
    return bytes([code, len(data)]) + data


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def message_type(bootp):
    """Value of option 53."""
    options = bootp[240:]
    while options and options[0] != 255:
        if options[0] == 0:
            options = options[1:]
            continue
        if options[0] == 53:
            return options[2]
        options = options[2 + options[1]:]
    return None


def answer(frame):
    """The frame that answers this one, or None."""
    if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_UDP or frame[36:38] != struct.pack(">H", 67):
        return None
    bootp = frame[42:]
    kind = {DISCOVER: OFFER, REQUEST: ACK}.get(message_type(bootp))
    if not kind:
        return None
    ip = socket.inet_aton
    reply = struct.pack(">BBBB4sHH", 2, 1, 6, 0, bootp[4:8], 0, 0x8000) + ip("0.0.0.0") + ip(ADDRESS) + ip(SERVER) + ip("0.0.0.0")
    reply += bootp[28:44] + bytes(192) + MAGIC + option(53, bytes([kind])) + option(54, ip(SERVER))
    reply += option(51, struct.pack(">I", 3600)) + option(1, ip(MASK)) + option(3, ip(SERVER)) + option(6, ip(DNS))
    reply += option(15, DOMAIN) + b"\xff"
    udp = struct.pack(">HHHH", 67, 68, 8 + len(reply), 0) + reply
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0) + ip(SERVER) + ip("255.255.255.255")
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + b"\x08\x00" + head + udp
