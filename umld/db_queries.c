#include "umld/db.h"

const struct db_statement db_statements[DBQ_COUNT] = {
    [DBQ_GUEST_ALL] =
        {"SELECT id, name, definition, revision, created_ns, want_up, state, ready, boot,"
         " kernel, monitor_pid, monitor_start, host_boot, start_ns, exit_ns,"
         " wait_status, cause, failures, restarts, asked, uid, early_ends, next_start_ns, rung,"
         " rung_ns, rung_until_ns FROM guest ORDER BY id",
         ""},
    [DBQ_GUEST_INSERT] = {"INSERT INTO guest(name, definition, created_ns) VALUES (?, ?, ?)", "ssi",
                          true},
    [DBQ_GUEST_DEFINE] = {"UPDATE guest SET definition = ?, revision = ? WHERE id = ?", "sii",
                          true},
    [DBQ_GUEST_STATE] =
        {"UPDATE guest SET state = ?, ready = ?, boot = ?, kernel = ?,"
         " monitor_pid = ?, monitor_start = ?, host_boot = ?, start_ns = ?,"
         " exit_ns = ?, wait_status = ?, cause = ?, failures = ?, restarts = ?, asked = ?,"
         " uid = ?, early_ends = ?, next_start_ns = ?, rung = ?, rung_ns = ?, rung_until_ns = ?"
         " WHERE id = ?",
         "siisiisiiisiisiiiiiii", true},
    [DBQ_GUEST_WANT] = {"UPDATE guest SET want_up = ? WHERE id = ?", "ii"},
    [DBQ_GUEST_SIGNALS] = {"UPDATE guest SET health = ?, hung = ? WHERE id = ?", "sii"},
    [DBQ_GUEST_SIGNALS_ALL] = {"SELECT id, health, hung FROM guest WHERE health != '' OR hung != 0",
                               ""},
    [DBQ_GUEST_DELETE] = {"DELETE FROM guest WHERE id = ?", "i"},
    [DBQ_DEVICE_CLEAR] = {"DELETE FROM device WHERE guest_id = ?", "i"},
    [DBQ_DEVICE_INSERT] = {"INSERT INTO device(guest_id, position, name, spec, origin)"
                           " VALUES (?, ?, ?, ?, ?)",
                           "iisss"},
    [DBQ_DEVICE_ORIGINS] = {"SELECT guest_id, name, origin FROM device WHERE origin != ''", ""},
    [DBQ_STRANGER_ALL] = {"SELECT guest_id, socket, pid, start, host_boot, uid, version, devices,"
                          " why_not FROM stranger",
                          ""},
    [DBQ_STRANGER_PUT] =
        {"INSERT OR REPLACE INTO stranger(guest_id, socket, pid, start, host_boot, uid, version,"
         " devices, why_not) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
         "isiisisss"},
    [DBQ_STRANGER_DELETE] = {"DELETE FROM stranger WHERE guest_id = ?", "i"},
    [DBQ_KERNEL_ALL] = {"SELECT name, path FROM kernel ORDER BY added_ns", ""},
    [DBQ_KERNEL_INSERT] = {"INSERT OR REPLACE INTO kernel(name, path, added_ns) VALUES (?, ?, ?)",
                           "ssi"},
    [DBQ_KERNEL_DELETE] = {"DELETE FROM kernel WHERE name = ?", "s"},
    [DBQ_PROBE_GET] = {"SELECT result, probed_ns FROM kernel_probe"
                       " WHERE path = ? AND identity = ? AND host = ?",
                       "sss"},
    [DBQ_PROBE_PUT] =
        {"INSERT OR REPLACE INTO kernel_probe(path, identity, host, result, probed_ns)"
         " VALUES (?, ?, ?, ?, ?)",
         "ssssi"},
    [DBQ_IMAGE_ALL] = {"SELECT name, path, kind, created_ns FROM image ORDER BY name", ""},
    [DBQ_IMAGE_PUT] = {"INSERT OR REPLACE INTO image(name, path, kind, created_ns)"
                       " VALUES (?, ?, ?, ?)",
                       "sssi"},
    [DBQ_IMAGE_DELETE] = {"DELETE FROM image WHERE name = ?", "s"},
    [DBQ_NETWORK_ALL] = {"SELECT id, name, definition, revision, created_ns FROM network"
                         " ORDER BY id",
                         ""},
    [DBQ_NETWORK_INSERT] = {"INSERT INTO network(name, definition, created_ns) VALUES (?, ?, ?)",
                            "ssi", true},
    [DBQ_NETWORK_DEFINE] = {"UPDATE network SET definition = ?, revision = ? WHERE id = ?", "sii"},
    [DBQ_NETWORK_DELETE] = {"DELETE FROM network WHERE id = ?", "i"},
    [DBQ_PORT_ALL] = {"SELECT id, guest_id, device FROM port ORDER BY id", ""},
    [DBQ_PORT_INSERT] = {"INSERT INTO port(guest_id, device) VALUES (?, ?)", "is", true},
    [DBQ_PORT_DELETE] = {"DELETE FROM port WHERE id = ?", "i"},
    [DBQ_NETWORK_MAC_ALL] = {"SELECT network_id, mac, vlan, port_id FROM network_mac", ""},
    [DBQ_NETWORK_MAC_PUT] = {"INSERT OR REPLACE INTO network_mac(network_id, mac, vlan, port_id)"
                             " VALUES (?, ?, ?, ?)",
                             "isii"},
    [DBQ_NETWORK_MAC_DELETE] = {"DELETE FROM network_mac"
                                " WHERE network_id = ? AND mac = ? AND vlan = ?",
                                "isi"},
    [DBQ_JOB_INSERT] = {"INSERT INTO job(kind, object, state, uid, start_ns)"
                        " VALUES (?, ?, 'running', ?, ?)",
                        "ssii", true},
    [DBQ_JOB_UPDATE] = {"UPDATE job SET state = ?, phase = ?, done = ?, total = ?, end_ns = ?,"
                        " error = ?, error_name = ? WHERE id = ?",
                        "ssiiissi"},
    [DBQ_JOB_GOAL] = {"UPDATE job SET goal = ?, limit_ns = ? WHERE id = ?", "sii"},
    [DBQ_JOB_GET] = {"SELECT id, kind, object, state, phase, done, total, start_ns, end_ns, error,"
                     " error_name, uid"
                     " FROM job WHERE id = ?",
                     "i"},
    [DBQ_JOB_LIST] = {"SELECT id, kind, object, state, phase, done, total, start_ns, end_ns, error,"
                      " error_name, uid"
                      " FROM job WHERE (? = 0 OR state IN ('queued', 'running'))"
                      " ORDER BY id DESC LIMIT ?",
                      "ii"},
    [DBQ_JOB_UNFINISHED] = {"SELECT id, kind, object, goal, limit_ns FROM job"
                            " WHERE state IN ('queued', 'running') AND id > ? ORDER BY id",
                            "i"},
    [DBQ_JOB_PRUNE] = {"DELETE FROM job WHERE id <= (SELECT max(id) FROM job) - ?"
                       " AND state NOT IN ('queued', 'running')",
                       "i"},
    [DBQ_EVENT_INSERT] = {"INSERT INTO event(seq, time_ns, type, object, data)"
                          " VALUES (?, ?, ?, ?, ?)",
                          "iisss"},
    [DBQ_EVENT_RANGE] = {"SELECT seq, time_ns, type, object, data FROM event"
                         " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                         "iii"},
    [DBQ_EVENT_ABOUT] = {"SELECT seq, time_ns, type, object, data FROM event"
                         " WHERE object = ? AND type = ? ORDER BY seq DESC LIMIT ?",
                         "ssi"},
    /* By the index: a guest that says much must not make others' events be walked over. */
    [DBQ_EVENT_NEWEST] = {"SELECT seq, time_ns, type, object, data FROM event WHERE seq ="
                          " (SELECT max(seq) FROM event INDEXED BY event_about"
                          " WHERE object = ? AND seq >= ?)",
                          "si"},
    [DBQ_EVENT_TIME] = {"SELECT time_ns FROM event WHERE seq >= ? ORDER BY seq LIMIT 1", "i"},
    [DBQ_EVENT_BOUNDS] = {"SELECT coalesce(min(seq), 0),"
                          " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)"
                          " FROM event",
                          ""},
    [DBQ_EVENT_PRUNE] = {"DELETE FROM event WHERE seq <= ?", "i"},
    [DBQ_REQUEST_GET] = {"SELECT method, digest, reply FROM request WHERE id = ?", "s"},
    [DBQ_REQUEST_PUT] = {"INSERT OR IGNORE INTO request(id, method, digest, reply, time_ns)"
                         " VALUES (?, ?, ?, ?, ?)",
                         "ssssi"},
    [DBQ_REQUEST_PRUNE] = {"DELETE FROM request WHERE time_ns < ?"
                           " OR rowid <= (SELECT max(rowid) FROM request) - ?",
                           "ii"},
    [DBQ_SETTING_ALL] = {"SELECT name, value FROM setting", ""},
    [DBQ_SETTING_PUT] = {"INSERT OR REPLACE INTO setting(name, value) VALUES (?, ?)", "ss"},
};
