"""Programs that work on the files themselves, while litekeel has the database open in this process: cp, mv, rm, Litestream, the shell.

argv: what, a folder. Prints one line of JSON.
"""

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../examples/python"), HERE]
import litekeel  # noqa: E402
from neighbours import attempt  # noqa: E402

what, folder = sys.argv[1], os.path.abspath(sys.argv[2])
path = os.path.join(folder, "app.db")
litekeel._keel.keel_diagnose.argtypes = litekeel._keel.keel_holders.argtypes


def shell(line):
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, timeout=60)
    return (done.stdout + done.stderr).strip() or f"status {done.returncode}"


def rsync(arguments):
    # APSW's wheel brings the program; importing it would bring a second SQLite into this process.
    program = importlib.util.find_spec("apsw").submodule_search_locations[0] + "/sqlite_extra_binaries/sqlite3_rsync"
    return f"{program} {arguments}"


def health(db):
    rows = db._rows(litekeel._keel.keel_diagnose)
    bad = [f"{row['name']} {row['value']}" for row in rows if row["value"] == "bad" or row["name"] == "latched"]
    return "; ".join(bad) or "good"


def write(db, who="litekeel"):
    return attempt(lambda: f"{db.execute('INSERT INTO visit(who) VALUES(?)', [who]).changes} row")


with litekeel.Connection(path) as db:
    db.script("CREATE TABLE visit(id INTEGER PRIMARY KEY, who TEXT)")
    db.executemany("INSERT INTO visit(who) VALUES(?)", [["Ada"]] * 100)
shutil.copy(path, os.path.join(folder, "other.db"))
if what == "cp-over":
    # An older copy, smaller than what it is copied over.
    with litekeel.Connection(path) as db:
        db.executemany("INSERT INTO visit(who) VALUES(?)", [["later"]] * 20000)
profile = "?profile=litestream" if what == "litestream-profile" else ""
db = litekeel.Connection("file:" + path + profile)
write(db, "in the wal")
result = {"what": what}
if what == "cp-over":
    # As in a program that has run for a while: litekeel looks once a second.
    health(db)
    write(db, "a later commit")
if what in ("cp-from", "rsync-from"):
    result["said"] = shell("cp app.db copy.db" if what == "cp-from" else rsync("app.db copy.db"))
    copy = sqlite3.connect(os.path.join(folder, "copy.db"))
    result["copy has"] = copy.execute("SELECT count(*) FROM visit").fetchone()[0]
elif what.startswith("litestream"):
    log = open(os.path.join(folder, "log"), "w")
    process = subprocess.Popen(["litestream", "replicate", path, f"file://{folder}/replica"], stdout=log, stderr=log)
    for i in range(60):
        write(db)
        time.sleep(0.1)
    # litekeel's own checkpoint, as its idle time would make one.
    time.sleep(7)
    result["health during"] = health(db)
    write(db, "last")
    time.sleep(3)
    process.terminate()
    process.wait()
    result["wal"] = os.stat(path + "-wal").st_size
    with open(os.path.join(folder, "log")) as log:
        lines = log.read().splitlines()
    result["said"] = [line[:200] for line in lines if "ERROR" in line or "WARN" in line or "snapshot" in line][:6] or len(lines)
    result["restore"] = shell(f"litestream restore -o restored.db file://{folder}/replica")[-200:]
    restored = sqlite3.connect(os.path.join(folder, "restored.db"))
    result["restored has"] = restored.execute("SELECT who, count(*) FROM visit GROUP BY who").fetchall()
else:
    result["said"] = shell({
        "cp-over": "cp other.db app.db",
        "cp-over-and-rm": "rm app.db-wal app.db-shm && cp other.db app.db",
        "mv-over": "mv other.db app.db",
        "rm-wal": "rm app.db-wal",
        "rm": "rm app.db",
        "restore": "litekeel restore --overwrite other.db app.db",
        "rsync-onto": rsync("other.db app.db"),
        "sqlite3": "sqlite3 app.db \"INSERT INTO visit(who) VALUES('neighbour')\"",
        "vacuum": "sqlite3 app.db VACUUM",
        "delete-mode": "sqlite3 app.db 'PRAGMA journal_mode=DELETE'",
        "chmod": "chmod 444 app.db",
    }[what])[:200]
result["health after"] = health(db)
result["write at once"] = write(db)
time.sleep(1.2)
result["write after a second"] = write(db)
result["health then"] = health(db)
result["close"] = attempt(db.close)
if os.path.exists(path):
    reader = sqlite3.connect(path)
    result["rows"] = attempt(lambda: reader.execute("SELECT who, count(*) FROM visit GROUP BY who").fetchall())
    result["integrity"] = attempt(lambda: reader.execute("PRAGMA integrity_check").fetchone()[0])
print(json.dumps(result))
