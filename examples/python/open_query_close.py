"""Open, query and close from Python: litekeel.py beside this file is all that it takes."""

import os

import litekeel


def main():
    with litekeel.Connection("file:python-data/app.db") as db:
        db.script("CREATE TABLE IF NOT EXISTS visit(who TEXT, at REAL, note BLOB)")
        with db.transaction():
            db.executemany("INSERT INTO visit VALUES(?, ?, ?)", [("Ada", 1843.5, b"\0\xff"), ("Grace", None, None)])
        for row in db.execute("SELECT rowid, who, at, note FROM visit WHERE rowid > :after", {"after": 0}):
            print("python:", row)
        try:
            litekeel.Connection("file:app.db?busy_timeot=5")
        except litekeel.Error as refusal:
            print("python: refused:", str(refusal).replace("\n", " "))
    print("python: closed, -wal left:", os.path.exists("python-data/app.db-wal"))


if __name__ == "__main__":
    main()
