# host.pl MODE DATABASE ON: see ../README.md. Without a DATABASE litekeel is not used.
use strict;
use warnings;
use POSIX ();

my ($mode, $path, $on) = @ARGV;
my $used = $path ne '';
my $db = 0;
my %keel;
if ($used) {
    require FFI::Platypus;
    my $ffi = FFI::Platypus->new(api => 1, lib => $ENV{LITEKEEL_LIBRARY});
    $keel{open} = $ffi->function(keel_open => ['string', 'size_t', 'uint64*', 'opaque'] => 'int');
    $keel{exec} = $ffi->function(keel_exec => ['uint64', 'string', 'size_t', 'opaque'] => 'int');
    $keel{close} = $ffi->function(keel_close => ['uint64', 'opaque'] => 'int');
    $keel{on} = $ffi->function(keel_shutdown_on => ['int[3]', 'size_t', 'sint64', 'opaque'] => 'int');
}

sub say_it { syswrite(STDOUT, "$_[0]\n") }
sub sql { $keel{exec}->call($db, $_[0], length $_[0], undef) }
sub open_it {
    my $url = "file:$_[0]";
    $db = 0;
    die 'open' if $keel{open}->call($url, length $url, \$db, undef) != 0;
    die 'exec' if sql('CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)') != 0;
}
sub shutdown_on { die 'shutdown_on' if $keel{on}->call([15, 2, 1], 3, 2000, undef) != 0 }
my $handler = sub { say_it('handler'); exit 7 };

END {
    my $status = $?;
    say_it('hook');
    sql('INSERT INTO t VALUES(2)') if $db;
    $? = $status;
}

$SIG{TERM} = $handler if $mode eq 'before';
open_it($path) if $used;
if ($mode eq 'fork' || $mode eq 'prefork') {
    if ($mode eq 'prefork' && $used) { $keel{close}->call($db, undef); $db = 0 }
    my $child = fork;
    if ($child == 0) {
        $db = 0;
        open_it($path . ($mode eq 'fork' ? '-child' : '')) if $used;
        exit 5 if $mode eq 'fork';
        shutdown_on() if $used && $on;
        say_it('ready');
        sleep 1 while 1;
    }
    $SIG{TERM} = 'IGNORE';
    waitpid $child, 0;
    say_it('child ' . ($? & 127) . ' ' . ($? >> 8));
    exit 0;
}
shutdown_on() if $used && $on;
$SIG{TERM} = $handler if $mode eq 'after';
exit 3 if $mode eq 'exit';
if ($mode eq 'error') {
    # Of which `die` makes the status; any call of C's may have set it.
    $! = 0;
    die "on purpose\n";
}
if ($mode ne 'natural') {
    sql('BEGIN IMMEDIATE; INSERT INTO t VALUES(3)') if $used && $mode eq 'second';
    say_it('ready');
    1 while $mode eq 'loop';
    sql('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n') if $used && $mode eq 'long';
    sleep 1 while 1;
}
