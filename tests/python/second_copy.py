"""Python's own sqlite3 and litekeel in one process: litekeel refuses a file that the other has locked."""

import ctypes
import os
import sqlite3
import sys

keel = ctypes.CDLL(sys.argv[1])
NUL = ctypes.c_size_t(-1)
SECOND_SQLITE = -36
for name in ("keel_error_message", "keel_error_hint"):
    getattr(keel, name).restype = ctypes.c_char_p


def open_keel(url):
    db, error = ctypes.c_void_p(), ctypes.c_void_p()
    code = keel.keel_open(url.encode(), NUL, ctypes.byref(db), ctypes.byref(error))
    text = ""
    if code != 0:
        text = (keel.keel_error_message(error, None) + b" " + keel.keel_error_hint(error, None)).decode()
        keel.keel_error_free(error)
    return code, db, text


def exec_keel(db, sql):
    return keel.keel_exec(db, sql.encode(), NUL, None)


python = sqlite3.connect("a.db", isolation_level=None)
python.execute("PRAGMA journal_mode=WAL")
python.execute("CREATE TABLE t(n)")
python.execute("BEGIN IMMEDIATE")

code, db, text = open_keel("file:a.db")
assert code == SECOND_SQLITE and "a.db" in text, (code, text)
# Another file is not concerned.
code, db, text = open_keel("file:b.db")
assert code == 0, text
assert keel.keel_close(db, None) == 0

# The control: unguarded, both have the write lock at once.
code, db, text = open_keel("file:a.db?foreign_sqlite=off")
assert code == 0, text
assert exec_keel(db, "BEGIN IMMEDIATE") == 0
assert exec_keel(db, "ROLLBACK") == 0
assert keel.keel_close(db, None) == 0

python.execute("ROLLBACK")
python.close()
code, db, text = open_keel("file:a.db")
assert code == 0, text
assert exec_keel(db, "INSERT INTO t VALUES(1)") == 0
assert keel.keel_close(db, None) == 0
assert not os.path.exists("a.db-wal")
