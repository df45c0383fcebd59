-- Managed networks and the ports of guests in them.
CREATE TABLE network (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    definition TEXT NOT NULL,                   -- JSON, io.umld.Network.Definition
    revision   INTEGER NOT NULL DEFAULT 1,
    created_ns INTEGER NOT NULL
) STRICT;

-- A net device of a guest, from when its definition first names it: counters and fixed addresses
-- follow the number. In which network it is says the definition.
CREATE TABLE port (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- below 0x80000000: umlnetd's own begin there
    guest_id INTEGER NOT NULL REFERENCES guest(id) ON DELETE CASCADE,
    device   TEXT NOT NULL,                     -- net0
    UNIQUE (guest_id, device)
) STRICT;

CREATE TABLE network_mac (
    network_id INTEGER NOT NULL REFERENCES network(id) ON DELETE CASCADE,
    mac        TEXT NOT NULL,                   -- 02:00:00:00:00:05
    vlan       INTEGER NOT NULL,
    port_id    INTEGER NOT NULL REFERENCES port(id) ON DELETE CASCADE,
    PRIMARY KEY (network_id, mac, vlan)
) STRICT;
