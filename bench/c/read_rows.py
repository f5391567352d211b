"""Python reading 1000 rows: one keel_query and a decoder in pure Python, against Python's own sqlite3 module (in C).

Each reads a file of its own, since two copies of SQLite on one file drop each other's locks. The two alternate; the
figure is the median of the rounds' ratios. argv: litekeel's library, rounds.
"""

import ctypes
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/python"))
from packed import decode

keel = ctypes.CDLL(sys.argv[1])
rounds = int(sys.argv[2])
keel.keel_query.argtypes = [
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64,
    ctypes.c_void_p, ctypes.c_void_p,
]
keel.keel_rows_data.restype = ctypes.c_void_p
keel.keel_rows_data.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
keel.keel_rows_free.argtypes = [ctypes.c_void_p]

CREATE = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, score REAL, note TEXT, kind INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
    "INSERT INTO t SELECT i, 'person ' || i, i * 0.5, {note} || i, i % 7 FROM n;"
)
SCAN = "SELECT id, name, score, note, kind FROM t ORDER BY id"


def ours(db):
    rows, size = ctypes.c_void_p(), ctypes.c_size_t()
    if keel.keel_query(db, SCAN.encode(), len(SCAN), None, 0, 0, ctypes.byref(rows), None):
        raise RuntimeError("keel_query")
    table = ctypes.string_at(keel.keel_rows_data(rows, ctypes.byref(size)), size.value)
    keel.keel_rows_free(rows)
    return decode(table)


def compare(what, note):
    db = ctypes.c_void_p()
    assert keel.keel_open(f"file:{what}.db".encode(), ctypes.c_size_t(-1), ctypes.byref(db), None) == 0
    create = CREATE.format(note=note).encode()
    assert keel.keel_exec(db, create, ctypes.c_size_t(len(create)), None) == 0
    other = sqlite3.connect(f"{what}-other.db", isolation_level=None)
    other.execute("PRAGMA journal_mode=wal")
    other.executescript("PRAGMA synchronous=1; PRAGMA cache_size=-64000;" + CREATE.format(note=note))
    theirs = lambda: other.execute(SCAN).fetchall()
    assert ours(db) == theirs(), "the two read different rows"
    times, ratios = ([], []), []
    for i in range(rounds):
        took = [0.0, 0.0]
        for which in ((0, 1) if i % 2 else (1, 0)):
            began = time.perf_counter()
            ours(db) if which == 0 else theirs()
            took[which] = time.perf_counter() - began
        times[0].append(took[0])
        times[1].append(took[1])
        ratios.append(took[0] / took[1])
    median = lambda values: sorted(values)[len(values) // 2]
    print(
        f"  {what:<20} ctypes {median(times[0]) * 1e6:8.0f} us   sqlite3 module {median(times[1]) * 1e6:8.0f} us"
        f"   ratio {median(ratios):.3f}"
    )
    other.close()
    assert keel.keel_close(db, None) == 0


print(f"Python {sys.version.split()[0]} (its SQLite: {sqlite3.sqlite_version}), 1000 rows of 5 columns as tuples:")
compare("ASCII", "'some note about '")
compare("other texts", "'Größe und Maß von '")
