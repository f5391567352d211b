"""host.py MODE DATABASE ON: see ../README.md. Without a DATABASE litekeel is not used."""
import atexit, ctypes, os, signal, sys, time

mode, path, on = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
db = ctypes.c_uint64(0)
if path:
    keel = ctypes.CDLL(os.environ["LITEKEEL_LIBRARY"])
    keel.keel_open.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
    keel.keel_exec.argtypes = [ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    keel.keel_close.argtypes = [ctypes.c_uint64, ctypes.c_void_p]
    keel.keel_shutdown_on.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, ctypes.c_void_p]


def say(text):
    os.write(1, text.encode() + b"\n")


def sql(text):
    return keel.keel_exec(db, text.encode(), len(text), None)


def open_it(file):
    url = b"file:" + file.encode()
    assert keel.keel_open(url, len(url), ctypes.byref(db), None) == 0
    assert sql("CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)") == 0


def shutdown_on():
    signals = (ctypes.c_int * 3)(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    assert keel.keel_shutdown_on(signals, 3, 2000, None) == 0


@atexit.register
def hook():
    say("hook")
    if db.value:
        sql("INSERT INTO t VALUES(2)")


def on_signal(number, frame):
    say("handler")
    sys.exit(7)


if mode == "before":
    signal.signal(signal.SIGTERM, on_signal)
if path:
    open_it(path)
if mode in ("fork", "prefork"):
    if mode == "prefork" and path:
        assert keel.keel_close(db, None) == 0
        db.value = 0
    child = os.fork()
    if child == 0:
        db.value = 0
        if path:
            open_it(path + ("-child" if mode == "fork" else ""))
        if mode == "fork":
            sys.exit(5)
        if path and on:
            shutdown_on()
        say("ready")
        while True:
            time.sleep(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    say(f"child {os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0} {status >> 8}")
    sys.exit(0)
if path and on:
    shutdown_on()
if mode == "after":
    signal.signal(signal.SIGTERM, on_signal)
if mode == "exit":
    sys.exit(3)
if mode == "error":
    raise ValueError("on purpose")
if mode != "natural":
    if path and mode == "second":
        sql("BEGIN IMMEDIATE; INSERT INTO t VALUES(3)")
    say("ready")
    while mode == "loop":
        pass
    if path and mode == "long":
        sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")
    while True:
        time.sleep(1)
