//! Random work of several processes on one database, and everything that happens to such files: kills, copies of the files by
//! the process itself, other programs that come and go, and now and then somebody who removes, replaces or cuts a file.
//!
//! What was acknowledged is in the database at the end, or one of the processes has said where it is. What others
//! wrote is never destroyed. Where nobody meddled with the files, nobody is alarmed either.
//!
//! `SEED` repeats a run; `RUNS` or `SOAK=1` make more of them; `KEEP=directory` copies the files of one that ends badly.
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use common::random::{Random, runs, seed};
use common::{Dir, Killed, child, is_child, open, other_program};
use litekeel_core::{Connection, turn_wal_guard_off};

const SERVER: &str = "a_server_of_the_torture";

/// The process under test: does what each line of its standard input says, and answers with one line.
#[test]
fn a_server_of_the_torture() {
    if !is_child(SERVER) {
        return;
    }
    if std::env::var_os("WITHOUT_THE_GUARD").is_some() {
        // SAFETY: the files of this process are this test's.
        unsafe { turn_wal_guard_off(true) };
    }
    let dir = std::env::var("DIR").unwrap();
    let mut connection = None;
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let answer = serve(&dir, &mut connection, &line);
        // On a line of its own: the test harness writes to the same stream.
        println!("\n> {}", answer.replace('\n', " "));
    }
}

fn serve(dir: &str, connection: &mut Option<std::sync::Arc<Connection>>, line: &str) -> String {
    let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
    let told = |error: litekeel_core::Error| format!("error {} {} ({})", error.name(), error.message(), error.hint());
    let done = |result: Result<(), litekeel_core::Error>| result.map_or_else(told, |()| "ok".to_owned());
    if command == "open" {
        return match open(&format!("file:{dir}/a.db?{rest}")) {
            Ok(opened) => {
                *connection = Some(opened);
                "ok".to_owned()
            }
            Err(error) => told(error),
        };
    }
    let Some(db) = connection.clone() else { return "error none is open".to_owned() };
    match command {
        "exec" => done(db.exec(rest)),
        // A user of SQLite's own calls, on a handle of its own.
        "raw" => {
            let raw = rusqlite::Connection::open(format!("{dir}/a.db"));
            let run = raw.and_then(|raw| {
                raw.busy_timeout(Duration::from_secs(5))?;
                raw.execute_batch(rest)
            });
            run.map_or_else(|error| format!("error {error}"), |()| "ok".to_owned())
        }
        "sibling" => done(db.sibling().and_then(|other| {
            let result = other.exec(rest);
            other.close()?;
            result
        })),
        // As a backup by a plain copy does it: the close of each drops this process's locks on that file.
        "copy" => {
            for suffix in ["", "-wal", "-shm"] {
                let _ = fs::copy(format!("{dir}/a.db{suffix}"), format!("{dir}/copy.db{suffix}"));
            }
            "ok".to_owned()
        }
        "backup" => {
            let target = format!("file:{dir}/backup-{rest}.db");
            done(db.backup(&target, -1, |_, _| false).map(drop))
        }
        "close" => {
            *connection = None;
            match db.close() {
                Ok(report) => format!("ok {} {}", report.warnings.join("; "), report.why),
                Err(error) => told(error),
            }
        }
        _ => panic!("{command}"),
    }
}

/// One of these processes, as its user sees it.
struct Server {
    name: String,
    process: Killed,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Rows whose statement has succeeded.
    acknowledged: Vec<String>,
    /// Rows whose outcome the process took with it.
    unknown: Vec<String>,
    rows: usize,
    /// All that it has ever said but plain success.
    said: String,
}

impl Server {
    fn start(dir: &Dir, name: &str, guarded: bool) -> Server {
        let mut command = child(SERVER, &[("DIR", dir.path().to_str().unwrap())]);
        if !guarded {
            command.env("WITHOUT_THE_GUARD", "1");
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Server {
            name: name.to_owned(),
            process: Killed(process),
            input,
            output,
            acknowledged: Vec::new(),
            unknown: Vec::new(),
            rows: 0,
            said: String::new(),
        }
    }

    /// `None`: the process is gone.
    fn ask(&mut self, line: &str) -> Option<String> {
        writeln!(self.input, "{line}").ok()?;
        loop {
            let mut answer = String::new();
            if self.output.read_line(&mut answer).ok()? == 0 {
                return None;
            }
            if let Some(answer) = answer.strip_prefix("> ") {
                let answer = answer.trim_end().to_owned();
                if answer != "ok" {
                    self.said += &format!("{line}: {answer}\n");
                }
                return Some(answer);
            }
        }
    }

    fn new_rows(&mut self, count: u64) -> Vec<String> {
        let first = self.rows;
        self.rows += count as usize;
        (first..self.rows).map(|row| format!("{}-{row:06}.", self.name)).collect()
    }

    /// Inserts rows by that command; all of them or none.
    fn write(&mut self, how: &str, count: u64) {
        let rows = self.new_rows(count);
        match self.ask(&format!("{how} {}", insert(&rows))) {
            Some(answer) if answer == "ok" => self.acknowledged.extend(rows),
            Some(_) => {}
            None => self.unknown.extend(rows),
        }
    }

    /// Kills it amid a statement, and starts another one that goes on with its name.
    fn die(&mut self, dir: &Dir, guarded: bool, settings: &str) {
        let rows = self.new_rows(1);
        let _ = writeln!(self.input, "exec {}", insert(&rows));
        self.unknown.extend(rows);
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
        let next = Server::start(dir, &self.name, guarded);
        (self.process, self.input, self.output) = (next.process, next.input, next.output);
        self.ask(&format!("open {settings}"));
    }
}

fn insert(rows: &[String]) -> String {
    let values: Vec<String> = rows.iter().map(|row| format!("('{row}')")).collect();
    format!("INSERT INTO t(who) VALUES {}", values.join(","))
}

/// What somebody does to the files from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meddling {
    Nothing,
    /// `rm a.db-wal a.db-shm`
    RemoveSideFiles,
    /// `mv other.db a.db`
    Replace,
    /// `cp other.db a.db`: the same file, another content.
    Overwrite,
}

const MEDDLING: [Meddling; 3] = [Meddling::RemoveSideFiles, Meddling::Replace, Meddling::Overwrite];

fn meddle(dir: &Dir, how: Meddling) {
    let (db, another) = (dir.file("a.db"), dir.file("other.db"));
    match how {
        Meddling::Nothing => {}
        Meddling::RemoveSideFiles => {
            for suffix in ["-wal", "-shm"] {
                let _ = fs::remove_file(dir.file(&format!("a.db{suffix}")));
            }
        }
        // By programs of their own: a close in this process would drop nobody's locks, but that is not the point.
        Meddling::Replace => assert!(Command::new("mv").arg(&another).arg(&db).status().unwrap().success()),
        Meddling::Overwrite => assert!(Command::new("cp").arg(&another).arg(&db).status().unwrap().success()),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    damaged: Option<String>,
    lost: Vec<String>,
    alarm: Option<String>,
}

/// One run. `how` is done once, at a random moment.
fn run(random: &mut Random, how: Meddling, guarded: bool) -> Outcome {
    let dir = Dir::new();
    let db = dir.file("a.db");
    let table = "PRAGMA journal_mode=wal; CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT)";
    other_program(&db, table).unwrap();
    other_program(&dir.file("other.db"), &format!("{table}; INSERT INTO t(who) VALUES('of the other database')"))
        .unwrap();
    let settings = |random: &mut Random| {
        let (checkpoint, pages) =
            random.one_of(&[("auto", 3), ("auto", 20), ("auto%2Bidle", 1000), ("background", 20), ("manual", 0)]);
        format!("wal_autocheckpoint={pages}&checkpoint={checkpoint}&busy_timeout=5s")
    };
    let mut servers: Vec<(Server, String)> = ["one", "two"]
        .into_iter()
        .map(|name| {
            let (mut server, settings) = (Server::start(&dir, name, guarded), settings(random));
            assert_eq!(server.ask(&format!("open {settings}")).as_deref(), Some("ok"), "{settings}: {}", server.said);
            (server, settings)
        })
        .collect();
    let steps = 20 + random.below(20);
    let moment = random.below(steps);
    let (mut others, mut damaged) = (Vec::new(), None);
    let (mut meddled, mut log) = (false, String::new());
    for step in 0..steps {
        if step == moment && how != Meddling::Nothing {
            meddle(&dir, how);
            meddled = true;
            log += &format!("{how:?}\n");
            // Who is not here any more cannot say where its rows are, which may have been in the removed file alone.
            others.clear();
            if how != Meddling::RemoveSideFiles {
                // What was there is not there any more: that is what was asked for.
                servers.iter_mut().for_each(|(server, _)| server.acknowledged.clear());
            }
            if how == Meddling::Overwrite {
                // Somebody who opens the file in the second before it is looked at takes what is there for the database.
                for _ in 0..random.below(3) {
                    servers[random.below(2) as usize].0.write("exec", 1 + random.below(9));
                }
                std::thread::sleep(Duration::from_millis(1200));
                servers.iter_mut().for_each(|(server, _)| server.write("exec", 1));
            }
        }
        let which = random.below(2) as usize;
        let (server, settings) = &mut servers[which];
        let what = random.below(14);
        let before = server.rows;
        match what {
            0..=3 => server.write("exec", 1 + random.below(30)),
            4 => server.write("sibling", 1),
            5 => server.write("raw", 1),
            6 => {
                let mode = random.one_of(&["PASSIVE", "FULL", "RESTART", "TRUNCATE"]);
                server.ask(&format!("exec PRAGMA wal_checkpoint({mode})"));
            }
            7 => {
                server.ask(random.one_of(&["exec VACUUM", "exec REINDEX", "exec PRAGMA optimize"]));
            }
            8 => {
                server.ask(&format!("backup {step}"));
            }
            9 => {
                server.ask("copy");
            }
            // What a killed process had in an unlinked file goes with it.
            10 if !meddled => server.die(&dir, guarded, settings),
            11 => {
                server.ask("close");
                server.ask(&format!("open {settings}"));
            }
            _ => {
                let rows: Vec<String> = (0..1 + random.below(40)).map(|row| format!("other-{step}-{row}.")).collect();
                match other_program(&db, &insert(&rows)) {
                    Ok(_) => others.extend(rows),
                    Err(why) if why.contains("locked") => {}
                    Err(why) => damaged = Some(why),
                }
            }
        }
        log += &format!("step {step}: {} {what}, rows {before}..{}\n", server.name, server.rows);
    }
    for (server, _) in &mut servers {
        server.ask("close");
    }
    let outcome = judge(&dir, servers.into_iter().map(|(server, _)| server).collect(), others, damaged, how);
    if outcome != Outcome::default() {
        eprintln!("{log}");
    }
    outcome
}

fn judge(dir: &Dir, servers: Vec<Server>, others: Vec<String>, damaged: Option<String>, how: Meddling) -> Outcome {
    let db = dir.file("a.db");
    let mut outcome = Outcome { damaged, ..Outcome::default() };
    match other_program(&db, "PRAGMA integrity_check") {
        Ok(answer) if answer == "ok" => {}
        Ok(answer) | Err(answer) => outcome.damaged = Some(answer),
    }
    let rows = other_program(&db, "SELECT who FROM t").unwrap_or_default();
    let there: BTreeSet<&str> = rows.lines().collect();
    // What was set aside counts where a process has named it. They share the log, and the first one to notice keeps all of it.
    let said: String = servers.iter().map(|server| server.said.as_str()).collect();
    let named = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("a.db") && !["a.db", "a.db-wal", "a.db-shm"].contains(&&*name) && said.contains(&*name)
    });
    let aside: Vec<Vec<u8>> = named.map(|path| fs::read(path).unwrap()).collect();
    let kept = |row: &str| aside.iter().any(|file| file.windows(row.len()).any(|part| part == row.as_bytes()));
    // Their program opens what lies at the names: beside another content, or another file, that is still the old log.
    let with_the_log = matches!(how, Meddling::Replace | Meddling::Overwrite);
    let is_lost = |row: &&String| !(there.contains(row.as_str()) || with_the_log && kept(row));
    outcome.lost.extend(others.iter().filter(is_lost).cloned());
    for server in &servers {
        let is_lost = |row: &&String| !there.contains(row.as_str()) && !kept(row);
        outcome.lost.extend(server.acknowledged.iter().filter(is_lost).cloned());
        if how == Meddling::Nothing {
            let calm = |line: &&str| {
                !line.contains("KEEL_WAL_UNLINKED")
                    && !line.contains("KEEL_DATABASE_MOVED")
                    && !line.contains("set aside")
            };
            outcome.alarm = outcome.alarm.or(server.said.lines().find(|line| !calm(line)).map(str::to_owned));
        }
    }
    if outcome != Outcome::default() {
        for server in &servers {
            eprintln!("{} said:\n{}", server.name, server.said);
        }
        if let Ok(to) = std::env::var("KEEP") {
            let _ = Command::new("cp").arg("-a").arg(dir.path()).arg(&to).status();
            eprintln!("kept in {to}");
        }
    }
    outcome
}

fn of_run(seed: u64, run: u64) -> Random {
    Random(seed.wrapping_add(run.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1)
}

#[test]
fn where_nobody_meddles_nothing_is_lost_and_nobody_is_alarmed() {
    let seed = seed();
    for number in 0..runs(6, 40) {
        let outcome = run(&mut of_run(seed, number), Meddling::Nothing, true);
        assert_eq!(outcome, Outcome::default(), "run {number} of SEED={seed}");
    }
}

#[test]
fn whatever_is_done_to_the_files_nothing_is_lost_in_silence() {
    let seed = seed();
    for number in 0..runs(6, 40) {
        let how = MEDDLING[number as usize % MEDDLING.len()];
        let outcome = run(&mut of_run(seed, number), how, true);
        assert_eq!(outcome, Outcome::default(), "run {number} of SEED={seed}: {how:?}");
    }
}

/// The control: without the guard the same loses rows or destroys databases.
#[test]
fn without_the_guard_the_same_loses_rows() {
    let bad = (0..12).any(|number| {
        let how = MEDDLING[number as usize % MEDDLING.len()];
        run(&mut of_run(4242, number), how, false) != Outcome::default()
    });
    assert!(bad, "nothing was lost without the guard");
}
