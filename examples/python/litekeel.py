"""litekeel for Python, through ctypes: one file to copy beside packed.py and to change as you like.

    import litekeel

    with litekeel.Connection("file:data/app.db") as db:
        db.script("CREATE TABLE IF NOT EXISTS visit(id INTEGER PRIMARY KEY, who TEXT)")
        with db.transaction():
            db.execute("INSERT INTO visit(who) VALUES(?)", ["Ada"])
        for row in db.execute("SELECT id, who FROM visit WHERE who = :who", {"who": "Ada"}):
            print(row)

Not DB-API 2: all rows of a statement come at once. A connection may be used from several threads; its calls wait for each
other.
"""

import contextlib
import ctypes
import os
import sys

from packed import decode, encode, header

__all__ = ["Connection", "Error", "Result"]


def _load():
    name = os.environ.get("LITEKEEL_LIBRARY", "liblitekeel.so.0")
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise OSError(
            f"litekeel's library cannot be loaded: {error}. Install it where the loader looks (make install), or set "
            "LITEKEEL_LIBRARY to the file, such as /opt/litekeel/lib/liblitekeel.so"
        ) from None


_keel = _load()
# A handle is 64 bits, which ctypes cuts off where it has not been told.
_handle, _out, _size = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t
for _name, _result, _arguments in [
    ("keel_open_with", ctypes.c_int32, [ctypes.c_char_p, _size, _handle, _out, _out]),
    ("keel_options_new", ctypes.c_int32, [_out]),
    ("keel_options_set", ctypes.c_int32, [_handle, ctypes.c_char_p, _size, ctypes.c_char_p, _size, _out]),
    ("keel_options_free", None, [_handle]),
    ("keel_close", ctypes.c_int32, [_handle, _out]),
    ("keel_release", None, [_handle]),
    ("keel_exec", ctypes.c_int32, [_handle, ctypes.c_char_p, _size, _out]),
    ("keel_query", ctypes.c_int32,
     [_handle, ctypes.c_char_p, _size, ctypes.c_char_p, _size, ctypes.c_uint64, _out, _out]),
    ("keel_begin", ctypes.c_int32, [_handle, ctypes.c_int32, _out]),
    ("keel_commit", ctypes.c_int32, [_handle, _out]),
    ("keel_rollback", ctypes.c_int32, [_handle, _out]),
    ("keel_replicated", ctypes.c_int32, [_handle, ctypes.c_int64, ctypes.POINTER(ctypes.c_uint64), _out]),
    ("keel_report", ctypes.c_int32, [_handle, _out, _out]),
    ("keel_holders", ctypes.c_int32, [_handle, _out, _out]),
    ("keel_rows_data", _handle, [_handle, ctypes.POINTER(_size)]),
    ("keel_rows_free", None, [_handle]),
    ("keel_error_name", ctypes.c_char_p, [_handle]),
    ("keel_error_message", ctypes.c_char_p, [_handle, _handle]),
    ("keel_error_hint", ctypes.c_char_p, [_handle, _handle]),
    ("keel_error_path", ctypes.c_char_p, [_handle, _handle]),
    ("keel_error_step", ctypes.c_char_p, [_handle]),
    ("keel_error_kind", ctypes.c_char_p, [_handle]),
    ("keel_error_waited", ctypes.c_int64, [_handle]),
    ("keel_error_holders", ctypes.c_int32, [_handle, _out, _out]),
    ("keel_error_free", None, [_handle]),
    ("keel_version", ctypes.c_char_p, []),
]:
    _function = getattr(_keel, _name)
    _function.restype, _function.argtypes = _result, _arguments

MODES = {"default": -1, "deferred": 0, "immediate": 1, "exclusive": 2}


class Error(Exception):
    """A failure: `code` and `name` ("SQLITE_BUSY"), `message`, `hint` (what to do), `path`, `step` (where it failed), `kind` and
    `waited` (ms) of a lock that could not be taken, and `holders`, a dictionary for each process or connection that held it."""

    def __init__(self, code, error):
        self.code = code
        self.name = _keel.keel_error_name(error).decode()
        self.message = _keel.keel_error_message(error, None).decode()
        self.hint = _keel.keel_error_hint(error, None).decode()
        self.path = os.fsdecode(_keel.keel_error_path(error, None)) or None
        self.step = _keel.keel_error_step(error).decode() or None
        self.kind = _keel.keel_error_kind(error).decode() or None
        waited = _keel.keel_error_waited(error)
        self.waited = None if waited < 0 else waited
        rows = _handle()
        found = _keel.keel_error_holders(error, ctypes.byref(rows), None) == 0
        self.holders = _take(rows).dictionaries() if found else []
        super().__init__(f"{self.name}: {self.message}" + (f"\n{self.hint}" if self.hint else ""))


class Result(list):
    """The rows of a statement as tuples, with `columns` (their names), `changes` and `lastrowid`."""

    def __init__(self, table):
        super().__init__(decode(table))
        self.columns, self.changes, self.lastrowid = header(table)

    def dictionaries(self):
        return [dict(zip(self.columns, row)) for row in self]


def _take(rows):
    """The packed rows behind a handle, which is freed."""
    size = _size()
    data = _keel.keel_rows_data(rows, ctypes.byref(size))
    table = ctypes.string_at(data, size.value)
    _keel.keel_rows_free(rows)
    return Result(table)


def _call(function, *arguments):
    """Calls with room for an error, and raises it."""
    error = _handle()
    code = function(*arguments, ctypes.byref(error))
    if code != 0:
        try:
            raise Error(code, error)
        finally:
            _keel.keel_error_free(error)


class Connection:
    """An open database. `url` None: DATABASE_URL, else file:data/sqlite.db. Settings win over those of the URL:
    Connection("file:data/app.db", busy_timeout="10s", profile="durable")."""

    def __init__(self, url=None, **settings):
        self._db = _handle()
        options = _handle()
        if _keel.keel_options_new(ctypes.byref(options)) != 0:
            raise MemoryError("litekeel's options")
        caller = sys._getframe(1)
        settings.setdefault("opened_at", f"{caller.f_code.co_filename}:{caller.f_lineno}")
        try:
            for key, value in settings.items():
                key, text = key.encode(), str(value).encode()
                _call(_keel.keel_options_set, options, key, len(key), text, len(text))
            text = None if url is None else os.fsencode(url)
            _call(_keel.keel_open_with, text, len(text or b""), options, ctypes.byref(self._db))
        finally:
            _keel.keel_options_free(options)

    def script(self, sql):
        """Runs any number of statements; what ran before an error stays."""
        text = sql.encode()
        _call(_keel.keel_exec, self._db, text, len(text))

    def execute(self, sql, parameters=()):
        """Runs one statement: parameters by position (a sequence) or by name (a dictionary)."""
        if isinstance(parameters, dict):
            return self._query(sql, [list(parameters.values())] if parameters else [], list(parameters))
        return self._query(sql, [parameters] if parameters else [])

    def executemany(self, sql, rows):
        """Runs one statement once for each row of parameters: all of them succeed, or none does."""
        rows = list(rows)
        return self._query(sql, rows) if rows else None

    def _query(self, sql, rows, names=None):
        text, packed, out = sql.encode(), encode(rows, names) if rows else None, _handle()
        _call(_keel.keel_query, self._db, text, len(text), packed, len(packed or b""), 0, ctypes.byref(out))
        return _take(out)

    @contextlib.contextmanager
    def transaction(self, mode="default"):
        """Commits at the end of the block, and rolls back when it raises. mode: deferred, immediate, exclusive."""
        _call(_keel.keel_begin, self._db, MODES[mode])
        try:
            yield self
            _call(_keel.keel_commit, self._db)
        except BaseException:
            # SQLite may have rolled back already, after a full disk for example.
            with contextlib.suppress(Error):
                _call(_keel.keel_rollback, self._db)
            raise

    def replicated(self, timeout=None):
        """Waits until everything committed before is at Litestream's replica, at most `timeout` seconds (None: the setting
        replication_timeout), and returns the position. Raises KEEL_NOT_REPLICATED otherwise: the commit stands, and `step`
        says why."""
        txid = ctypes.c_uint64()
        _call(_keel.keel_replicated, self._db, -1 if timeout is None else int(timeout * 1000), ctypes.byref(txid))
        return f"{txid.value:016x}"

    def report(self):
        """What open found and did, a dictionary for each setting."""
        return self._rows(_keel.keel_report)

    def holders(self):
        """Who holds a lock on the database now."""
        return self._rows(_keel.keel_holders)

    def _rows(self, function):
        out = _handle()
        _call(function, self._db, ctypes.byref(out))
        return _take(out).dictionaries()

    def close(self):
        """Closes; a second time does nothing."""
        db, self._db = self._db, _handle()
        if db:
            _call(_keel.keel_close, db)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_db", None):
            _keel.keel_release(self._db)
