"""What other libraries do to a database that litekeel has open: in its process, and in another one.

run.sh installs them and calls this for each. One line of JSON for each case; run.sh makes the table of docs/neighbours.md.
argv: neighbour, here|elsewhere, first|second (who opens first), a folder to work in.
"""

import importlib.metadata
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")


class DB:
    """A library with Python's DB-API: it keeps its connection open until the end of the block."""

    def __init__(self, connect, version):
        self.connect, self.version = connect, version

    def open(self, path):
        self.db = self.connect(path)
        # A cursor of DuckDB's is a connection of its own.
        self.cursor = self.db if "duckdb" in sys.modules else self.db.cursor()
        self.cursor.execute("SELECT count(*) FROM visit")
        self.seen = self.cursor.fetchall()[0][0]

    def write(self):
        self.cursor.execute("INSERT INTO visit(who) VALUES('neighbour')")
        if "duckdb" not in sys.modules:
            getattr(self.db, "commit", lambda: None)()

    def close(self):
        self.db.close()


class Reader:
    """One call that opens, reads and closes."""

    def __init__(self, read, version, write=None):
        self.read, self.version, self.writes = read, version, write

    def open(self, path):
        self.path, self.seen = path, self.read(path)

    def write(self):
        if self.writes is None:
            raise NotImplementedError("reads only")
        self.writes(self.path)

    def close(self):
        pass


def python():
    return DB(sqlite3.connect, f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")


def apsw():
    import apsw

    return DB(apsw.Connection, f"APSW {apsw.apsw_version()}, SQLite {apsw.sqlite_lib_version()}")


def pysqlite3():
    from pysqlite3 import dbapi2

    version = importlib.metadata.version("pysqlite3-binary")
    return DB(dbapi2.connect, f"pysqlite3-binary {version}, SQLite {dbapi2.sqlite_version}")


def adbc():
    import adbc_driver_sqlite.dbapi

    return DB(adbc_driver_sqlite.dbapi.connect, f"adbc-driver-sqlite {importlib.metadata.version('adbc-driver-sqlite')}")


def duckdb():
    import duckdb

    def connect(path):
        db = duckdb.connect()
        # The extension as a package: INSTALL would ask DuckDB's server.
        import duckdb_extension_sqlite_scanner as package

        folder = os.path.join(os.path.dirname(package.__file__), "extensions")
        file = next(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
        db.execute(f"LOAD '{file}'")
        db.execute(f"ATTACH '{path}' AS app (TYPE sqlite); USE app")
        return db

    return DB(connect, f"DuckDB {duckdb.__version__}, sqlite extension")


def gdal():
    import pyogrio

    def write(path):
        import numpy

        data = [numpy.array(["neighbour"], dtype=object)]
        pyogrio.raw.write(path, None, data, ["who"], layer="visit", driver="SQLite", append=True, geometry_type=None)

    version = ".".join(map(str, pyogrio.__gdal_version__))
    return Reader(lambda path: len(pyogrio.raw.read(path, layer="visit")[3][0]), f"pyogrio {pyogrio.__version__}, GDAL {version}", write)


def fiona():
    import fiona

    def read(path):
        with fiona.open(path, layer="visit") as layer:
            return len(layer)

    return Reader(read, f"fiona {fiona.__version__}, GDAL {fiona.__gdal_version__}")


def connectorx():
    import connectorx

    def read(path):
        table = connectorx.read_sql(f"sqlite://{path}", "SELECT count(*) AS n FROM visit", return_type="arrow")
        return table["n"][0].as_py()

    return Reader(read, f"connectorx {importlib.metadata.version('connectorx')}")


def polars():
    import polars

    def read(path):
        return polars.read_database_uri("SELECT count(*) AS n FROM visit", f"sqlite://{path}")["n"][0]

    return Reader(read, f"polars {polars.__version__} (connectorx)")


def command(name, read, write, package=None):
    def call(line):
        def run(path):
            done = subprocess.run(line.replace("DB", path), shell=True, capture_output=True, text=True, timeout=60)
            if done.returncode:
                raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1][:160])
            return done.stdout.strip()[:40]

        return run

    version = importlib.metadata.version(package or name)
    return Reader(call(read), f"{name} {version}", write and call(write))


def sqlite_utils():
    return command("sqlite-utils", "sqlite-utils rows DB visit --limit 1", "echo '{\"who\": \"neighbour\"}' | sqlite-utils insert DB visit -")


def datasette():
    return command("datasette", "datasette DB --get '/app/visit.json?_size=1'", None)


class DatasetteServer:
    """Datasette as it is deployed: a server that keeps the database open."""

    version = None

    def open(self, path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.version = f"datasette {importlib.metadata.version('datasette')}, serving"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(["datasette", path, "--port", str(self.port)], **quiet)
        for _ in range(300):
            try:
                self.seen = self.read()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("it does not answer")

    def read(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/app.json?sql=select+count(*)+as+n+from+visit&_shape=array") as answer:
            return json.load(answer)[0]["n"]

    def write(self):
        """It only reads: what litekeel has committed meanwhile has to be seen."""
        raise NotImplementedError(f"reads only; sees {self.read()} rows now")

    def close(self):
        self.process.terminate()
        self.process.wait()


def datasette_server():
    return DatasetteServer()


class Process:
    """A neighbour that is a process of its own (`self.process`), and obeys one word a line."""

    def word(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline().strip()
        if said != "done":
            raise RuntimeError(said)

    def write(self):
        self.word("write")

    def close(self):
        self.word("close")
        self.process.stdin.close()
        self.process.wait()


class Jdbc(Process):
    """sqlite-jdbc, in a Java of its own."""

    version = None

    def open(self, path):
        words = ["java", "-cp", os.path.join(os.getcwd(), "java", "*"), os.path.join(HERE, "Jdbc.java"), path]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        version, self.seen = self.process.stdout.readline().split()
        self.version = f"sqlite-jdbc {version}"


def jdbc():
    return Jdbc()


def odbc():
    import pyodbc

    driver = "libsqlite3odbc.so"
    folders = ["/usr/lib/x86_64-linux-gnu/odbc", "/usr/lib/aarch64-linux-gnu/odbc", "/usr/lib/odbc"]
    place = next(f"{folder}/{driver}" for folder in folders if os.path.exists(f"{folder}/{driver}"))

    class Odbc(DB):
        def open(self, path):
            super().open(path)
            self.version = f"SQLite ODBC {self.db.getinfo(pyodbc.SQL_DRIVER_VER)}, pyodbc {pyodbc.version}"

    return Odbc(lambda path: pyodbc.connect(f"DRIVER={place};Database={path};Timeout=2000"), "SQLite ODBC")


def alembic():
    import sqlalchemy
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    class Migration:
        version = f"alembic {importlib.metadata.version('alembic')}, SQLAlchemy {sqlalchemy.__version__}"

        def open(self, path):
            self.engine = sqlalchemy.create_engine(f"sqlite:///{path}")
            self.db = self.engine.connect()
            self.seen = self.db.execute(sqlalchemy.text("SELECT count(*) FROM visit")).scalar()
            self.db.rollback()

        def write(self):
            # A batch migration: the table is made anew under the open connections.
            with self.db.begin():
                operations = Operations(MigrationContext.configure(self.db))
                with operations.batch_alter_table("visit", recreate="always") as table:
                    table.add_column(sqlalchemy.Column("note", sqlalchemy.Text))
                operations.execute("INSERT INTO visit(who) VALUES('neighbour')")

        def close(self):
            self.db.close()
            self.engine.dispose()

    return Migration()


def child(name, path):
    """The neighbour in a process of its own: opens, then obeys one word a line."""
    neighbour = globals()[name.replace("-", "_")]()
    neighbour.open(path)
    print(json.dumps([neighbour.version, str(neighbour.seen)]), flush=True)
    for word in sys.stdin:
        try:
            getattr(neighbour, word.strip())()
            print("done", flush=True)
        except Exception as error:
            print(f"{type(error).__name__}: {error}".splitlines()[0][:200], flush=True)


class Elsewhere(Process):
    """The same, driven from here."""

    def __init__(self, name):
        self.name = name

    def open(self, path):
        arguments = [sys.executable, __file__, "child", self.name, path]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read().strip().splitlines()[-1][:200])
        self.version, self.seen = json.loads(line)


def attempt(call):
    try:
        return call() or "ok"
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0][:300]


def files(path):
    """The -wal's bytes, and the journal mode in the header. By stat, and by a process of its own: a look would drop locks."""
    header = subprocess.run(["head", "-c", "20", path], capture_output=True).stdout
    wal = os.stat(path + "-wal").st_size if os.path.exists(path + "-wal") else None
    return {"wal": wal, "mode": {1: "rollback", 2: "wal"}.get(header[18]) if len(header) > 18 else None}


def main():
    name, place, order, folder = sys.argv[1:]
    sys.path.insert(0, os.path.join(ROOT, "examples/python"))
    import litekeel

    path = os.path.join(os.path.abspath(folder), "app.db")
    neighbour = globals()[name.replace("-", "_")]() if place == "here" else Elsewhere(name)
    result = {"neighbour": name, "place": place, "order": order}

    def check(db):
        rows = db._rows(litekeel._keel.keel_diagnose)
        bad = [f"{row['name']} {row['value']}" for row in rows if row["value"] == "bad" or row["name"] == "latched"]
        return "; ".join(bad) or "good"

    function = litekeel._keel.keel_diagnose
    function.restype, function.argtypes = litekeel.ctypes.c_int32, [litekeel._handle, litekeel._out, litekeel._out]

    def write(db):
        return attempt(lambda: f"{db.execute('INSERT INTO visit(who) VALUES(?)', ['litekeel']).changes} row")

    with litekeel.Connection(path) as db:
        db.script("CREATE TABLE visit(id INTEGER PRIMARY KEY, who TEXT)")
        db.executemany("INSERT INTO visit(who) VALUES(?)", [["Ada"]] * 100)
    if order == "second":
        # litekeel is open, then the neighbour comes and goes.
        db = litekeel.Connection(path)
        db.execute("INSERT INTO visit(who) VALUES('in the wal')")
        result["before"] = files(path)
        result["opens"] = attempt(lambda: neighbour.open(path))
        result["sees"] = getattr(neighbour, "seen", None)
        result["version"] = getattr(neighbour, "version", None)
        result["health during"], result["write during"] = check(db), write(db)
        result["open during"] = attempt(lambda: litekeel.Connection(path).close())
        result["neighbour writes"] = attempt(neighbour.write)
        result["closes"] = attempt(neighbour.close)
        result["after"] = files(path)
        result["health after"], result["write after"] = check(db), write(db)
        result["close"] = attempt(db.close)
    else:
        result["opens"] = attempt(lambda: neighbour.open(path))
        result["version"] = getattr(neighbour, "version", None)
        result["files"] = files(path)
        db = None

        def open():
            nonlocal db
            db = litekeel.Connection(path)

        result["litekeel opens"] = attempt(open)
        if db:
            result["write"] = write(db)
            result["close"] = attempt(db.close)
        result["neighbour writes"] = attempt(neighbour.write)
        result["closes"] = attempt(neighbour.close)
    reader = sqlite3.connect(path)
    result["rows"] = reader.execute("SELECT who, count(*) FROM visit GROUP BY who").fetchall()
    result["integrity"] = reader.execute("PRAGMA integrity_check").fetchone()[0]
    print(json.dumps(result))


if __name__ == "__main__":
    child(sys.argv[2], sys.argv[3]) if sys.argv[1] == "child" else main()
