# host.rb MODE DATABASE ON: see ../README.md. Without a DATABASE litekeel is not used.
require "fiddle"

$mode, $path, on = ARGV
$on = on == "1"
$used = !$path.empty?
$db = 0
if $used
  lib = Fiddle.dlopen(ENV.fetch("LITEKEEL_LIBRARY"))
  p, l, i = Fiddle::TYPE_VOIDP, Fiddle::TYPE_LONG_LONG, Fiddle::TYPE_INT
  make = ->(name, *args) { Fiddle::Function.new(lib[name], args, i) }
  OPEN = make.("keel_open", p, l, p, p)
  EXEC = make.("keel_exec", l, p, l, p)
  CLOSE = make.("keel_close", l, p)
  ON = make.("keel_shutdown_on", p, l, l, p)
end

def say(text) = $stdout.syswrite(text + "\n")
def sql(text) = EXEC.call($db, text, text.bytesize, nil)

def open_it(file)
  out = Fiddle::Pointer.malloc(8)
  url = "file:#{file}"
  raise "open" unless OPEN.call(url, url.bytesize, out, nil) == 0
  $db = out[0, 8].unpack1("q")
  raise "exec" unless sql("CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)") == 0
end

def shutdown_on
  raise "shutdown_on" unless ON.call([15, 2, 1].pack("l*"), 3, 2000, nil) == 0
end

at_exit do
  say("hook")
  sql("INSERT INTO t VALUES(2)") if $db != 0
end
handler = -> (_) { say("handler"); exit(7) }

trap("TERM", &handler) if $mode == "before"
open_it($path) if $used
if %w[fork prefork].include?($mode)
  if $mode == "prefork" && $used
    CLOSE.call($db, nil)
    $db = 0
  end
  child = fork do
    $db = 0
    open_it($path + ($mode == "fork" ? "-child" : "")) if $used
    exit(5) if $mode == "fork"
    shutdown_on if $used && $on
    say("ready")
    loop { sleep 1 }
  end
  trap("TERM", "IGNORE")
  _, status = Process.wait2(child)
  say("child #{status.termsig || 0} #{status.exitstatus || 0}")
  exit(0)
end
shutdown_on if $used && $on
trap("TERM", &handler) if $mode == "after"
exit(3) if $mode == "exit"
raise "on purpose" if $mode == "error"
unless $mode == "natural"
  sql("BEGIN IMMEDIATE; INSERT INTO t VALUES(3)") if $used && $mode == "second"
  say("ready")
  nil while $mode == "loop"
  sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n") if $used && $mode == "long"
  loop { sleep 1 }
end
