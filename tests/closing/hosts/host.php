<?php
// host.php MODE DATABASE ON: see ../README.md. Without a DATABASE litekeel is not used.
[, $mode, $path, $on] = $argv;
$on = $on === '1';
$used = $path !== '';
$db = null;
$keel = $used ? FFI::cdef('
    int keel_open(const char *url, size_t len, uint64_t *out, void *err);
    int keel_exec(uint64_t db, const char *sql, size_t len, void *err);
    int keel_close(uint64_t db, void *err);
    int keel_shutdown_on(const int *signals, size_t count, int64_t grace, void *err);
', getenv('LITEKEEL_LIBRARY')) : null;

function say($text) { fwrite(STDOUT, "$text\n"); fflush(STDOUT); }
function sql($text) { global $keel, $db; return $keel->keel_exec($db, $text, strlen($text), null); }
function open_it($file) {
    global $keel, $db;
    $out = $keel->new('uint64_t');
    if ($keel->keel_open("file:$file", strlen("file:$file"), FFI::addr($out), null) !== 0) exit(98);
    $db = $out->cdata;
    if (sql('CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)') !== 0) exit(97);
}
function shutdown_on() {
    global $keel;
    $signals = $keel->new('int[3]');
    [$signals[0], $signals[1], $signals[2]] = [15, 2, 1];
    if ($keel->keel_shutdown_on($signals, 3, 2000, null) !== 0) exit(96);
}
$handler = function () { say('handler'); exit(7); };
register_shutdown_function(function () { global $db; say('hook'); if ($db) sql('INSERT INTO t VALUES(2)'); });
pcntl_async_signals(true);

if ($mode === 'before') pcntl_signal(SIGTERM, $handler);
if ($used) open_it($path);
if ($mode === 'fork' || $mode === 'prefork') {
    if ($mode === 'prefork' && $used) { $keel->keel_close($db, null); $db = null; }
    $child = pcntl_fork();
    if ($child === 0) {
        $db = null;
        if ($used) open_it($path . ($mode === 'fork' ? '-child' : ''));
        if ($mode === 'fork') exit(5);
        if ($used && $on) shutdown_on();
        say('ready');
        for (;;) sleep(1);
    }
    pcntl_signal(SIGTERM, SIG_IGN);
    pcntl_waitpid($child, $status);
    say('child ' . (pcntl_wifsignaled($status) ? pcntl_wtermsig($status) : 0) . ' ' . (pcntl_wifexited($status) ? pcntl_wexitstatus($status) : 0));
    exit(0);
}
if ($used && $on) shutdown_on();
if ($mode === 'after') pcntl_signal(SIGTERM, $handler);
if ($mode === 'exit') exit(3);
if ($mode === 'error') throw new Exception('on purpose');
if ($mode !== 'natural') {
    if ($used && $mode === 'second') sql('BEGIN IMMEDIATE; INSERT INTO t VALUES(3)');
    say('ready');
    while ($mode === 'loop') {}
    if ($used && $mode === 'long') sql('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n');
    for (;;) sleep(1);
}
