-- host.lua MODE DATABASE ON: see ../README.md. Without a DATABASE litekeel is not used.
local ffi = require("ffi")
ffi.cdef [[
    int keel_open(const char *url, size_t len, uint64_t *out, void *err);
    int keel_exec(uint64_t db, const char *sql, size_t len, void *err);
    int keel_close(uint64_t db, void *err);
    int keel_shutdown_on(const int *signals, size_t count, int64_t grace, void *err);
    int fork(void);
    int waitpid(int pid, int *status, int options);
    void *signal(int number, intptr_t handler);
    int usleep(unsigned usec);
]]
local mode, path, on = arg[1], arg[2], arg[3] == "1"
local used = path ~= ""
local keel = used and ffi.load(os.getenv("LITEKEEL_LIBRARY"))
local db

local function say(text)
    io.stdout:write(text, "\n")
    io.stdout:flush()
end
local function sql(text) return keel.keel_exec(db, text, #text, nil) end
local function open_it(file)
    local out, url = ffi.new("uint64_t[1]"), "file:" .. file
    assert(keel.keel_open(url, #url, out, nil) == 0)
    db = out[0]
    assert(sql("CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)") == 0)
end
local function shutdown_on() assert(keel.keel_shutdown_on(ffi.new("int[3]", 15, 2, 1), 3, 2000, nil) == 0) end

if used then open_it(path) end
if mode == "fork" or mode == "prefork" then
    if mode == "prefork" and used then keel.keel_close(db, nil) end
    local child = ffi.C.fork()
    if child == 0 then
        if used then open_it(path .. (mode == "fork" and "-child" or "")) end
        if mode == "fork" then os.exit(5) end
        if used and on then shutdown_on() end
        say("ready")
        while true do ffi.C.usleep(100000) end
    end
    ffi.C.signal(15, 1)
    local status = ffi.new("int[1]")
    ffi.C.waitpid(child, status, 0)
    say(("child %d %d"):format(status[0] % 128, math.floor(status[0] / 256)))
    os.exit(0)
end
if used and on then shutdown_on() end
if mode == "exit" then os.exit(3) end
if mode == "error" then error("on purpose") end
if mode ~= "natural" then
    if used and mode == "second" then sql("BEGIN IMMEDIATE; INSERT INTO t VALUES(3)") end
    say("ready")
    while mode == "loop" do end
    if used and mode == "long" then
        sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")
    end
    while true do ffi.C.usleep(100000) end
end
