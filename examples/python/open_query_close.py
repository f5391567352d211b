"""litekeel from Python, through ctypes: open, one query with packed rows, close."""

import ctypes
import os

from packed import decode, encode

keel = ctypes.CDLL(os.environ.get("LITEKEEL_LIBRARY", "liblitekeel.so.0"))
NUL = ctypes.c_size_t(-1)
keel.keel_rows_data.restype = ctypes.c_void_p
for name in ("keel_error_message", "keel_error_hint", "keel_version"):
    getattr(keel, name).restype = ctypes.c_char_p


def check(code, error):
    if code != 0:
        message, hint = keel.keel_error_message(error, None), keel.keel_error_hint(error, None)
        keel.keel_error_free(error)
        raise RuntimeError(f"{message.decode()} ({hint.decode()})")


def query(db, sql, parameters=()):
    """All rows of a statement as tuples, from one flat buffer; it runs once for each row of parameters."""
    rows, error, size = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
    packed = encode(parameters) if parameters else None
    code = keel.keel_query(
        db, sql.encode(), NUL, packed, ctypes.c_size_t(len(packed or b"")), ctypes.c_uint64(0),
        ctypes.byref(rows), ctypes.byref(error),
    )
    check(code, error)
    data = keel.keel_rows_data(rows, ctypes.byref(size))
    table = ctypes.string_at(data, size.value)
    keel.keel_rows_free(rows)
    return decode(table)


def main():
    db, error = ctypes.c_void_p(), ctypes.c_void_p()
    check(keel.keel_open(b"file:python-data/app.db", NUL, ctypes.byref(db), ctypes.byref(error)), error)
    query(db, "CREATE TABLE IF NOT EXISTS visit(who TEXT, at REAL, note BLOB)")
    query(db, "INSERT INTO visit VALUES(?, ?, ?)", [("Ada", 1843.5, b"\0\xff"), ("Grace", None, None)])
    for row in query(db, "SELECT rowid, who, at, note FROM visit"):
        print("python:", row)
    try:
        other = ctypes.c_void_p()
        check(keel.keel_open(b"file:app.db?busy_timeot=5", NUL, ctypes.byref(other), ctypes.byref(error)), error)
    except RuntimeError as refusal:
        print("python: refused:", refusal)
    check(keel.keel_close(db, ctypes.byref(error)), error)
    print("python: closed, -wal left:", os.path.exists("python-data/app.db-wal"))


main()
