"""Python, through ctypes, and a C library in the same process are hosts of one copy: argv: litekeel, the C library."""

import ctypes
import sys

library, other = sys.argv[1:]
NUL = ctypes.c_size_t(-1)
keel = ctypes.CDLL(library)
host = ctypes.CDLL(other)
for function in (keel.keel_version, host.host_version):
    function.restype = ctypes.c_void_p
assert keel.keel_version() == host.host_version(), "two copies"

# One shared connection: what one host begins, the other could undo, so neither may.
url = b"file:shared.db?share=1"
db = ctypes.c_void_p()
assert keel.keel_open(url, NUL, ctypes.byref(db), None) == 0
assert host.host_open(url) == 0
keel.keel_open_handles.restype = ctypes.c_size_t
assert keel.keel_open_handles() == 1
assert host.host_exec(b"CREATE TABLE t(a)") == 0
assert keel.keel_exec(db, b"INSERT INTO t VALUES(1)", NUL, None) == 0
assert host.host_exec(b"BEGIN; DELETE FROM t") == -4, "KEEL_E_SHARED"
assert keel.keel_close(db, None) == 0
assert host.host_exec(b"INSERT INTO t SELECT a + 1 FROM t") == 0, "the other owner goes on"
assert host.host_close() == 0 and keel.keel_open_handles() == 0

# Two connections of one copy respect each other's locks.
assert keel.keel_open(b"file:shared.db", NUL, ctypes.byref(db), None) == 0
assert host.host_open(b"file:shared.db?busy_timeout=20") == 0
assert keel.keel_begin(db, 1, None) == 0
assert host.host_exec(b"INSERT INTO t VALUES(9)") == 5, "SQLITE_BUSY"
assert host.host_close() == 0
assert keel.keel_commit(db, None) == 0 and keel.keel_close(db, None) == 0
print("one copy, two hosts")
