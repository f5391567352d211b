"""The Python example as a module: imported without running anything, used as its documentation says, misused."""

import gc
import sys

sys.path.insert(0, sys.argv[1])
import litekeel  # noqa: E402
import open_query_close  # noqa: E402, F401  (importing it does nothing)


def raises(kind, call, *texts):
    try:
        call()
    except kind as error:
        assert all(text in str(error) for text in texts), error
        return error
    raise AssertionError(f"{texts}: nothing was raised")


with litekeel.Connection("file:data/app.db", busy_timeout="50ms") as db:
    db.script("CREATE TABLE visit(id INTEGER PRIMARY KEY, who TEXT UNIQUE, n)")
    with db.transaction():
        inserted = db.execute("INSERT INTO visit(who, n) VALUES(?, ?)", ["Ada", -(2**63)])
        assert (inserted.lastrowid, inserted.changes, inserted) == (1, 1, [])
    rows = db.execute("SELECT id, who, n FROM visit WHERE who = :who", {"who": "Ada"})
    assert rows == [(1, "Ada", -(2**63))] and rows.columns == ["id", "who", "n"]
    assert rows.dictionaries() == [{"id": 1, "who": "Ada", "n": -(2**63)}]
    # A block that raises leaves nothing behind, nor do rows of which one fails.
    def transact():
        with db.transaction("immediate"):
            db.execute("INSERT INTO visit(who) VALUES('Grace')")
            raise KeyError("mine")

    raises(KeyError, transact, "mine")
    unique = raises(
        litekeel.Error, lambda: db.executemany("INSERT INTO visit(who) VALUES(?)", [["Grace"], ["Ada"]]), "UNIQUE"
    )
    assert (unique.code, unique.name, unique.kind, unique.holders) == (2067, "SQLITE_CONSTRAINT_UNIQUE", None, [])
    assert db.execute("SELECT count(*) FROM visit") == [(1,)]
    # Values that SQLite has no type for are refused in words.
    raises(OverflowError, lambda: db.execute("SELECT ?", [2**70]), "64 bits")
    raises(TypeError, lambda: db.execute("SELECT ?", [[1, 2]]), "list")
    raises(litekeel.Error, lambda: db.execute("SELECT ?"), "takes 1 parameter")
    # Another connection that waits in vain knows who held the lock, and where it was opened.
    with litekeel.Connection("file:data/app.db", busy_timeout="50ms") as other, other.transaction("immediate"):
        busy = raises(litekeel.Error, lambda: db.execute("DELETE FROM visit"), "SQLITE_BUSY")
        assert busy.kind == "timeout" and busy.waited >= 45 and busy.path.endswith("data/app.db")
        assert __file__ in busy.holders[0]["opened_at"], busy.holders
    settings = {row["name"]: row["value"] for row in db.report()}
    assert settings["journal_mode"] == "wal" and db.holders() == []
db.close()
raises(litekeel.Error, lambda: db.execute("SELECT 1"), "KEEL_HANDLE")
refusal = raises(litekeel.Error, lambda: litekeel.Connection("file:x.db?busy_timeot=1"), "busy_timeot")
assert "busy_timeout" in refusal.hint and refusal.name == "KEEL_UNKNOWN_PARAM"
# A connection that is dropped is closed.
litekeel.Connection("file:data/app.db")
gc.collect()
print("done")
