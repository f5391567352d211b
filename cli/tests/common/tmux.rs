//! A real terminal, emulated: what a person sees there, and which keys they press.

use std::process::Command;
use std::time::{Duration, Instant};

use super::Dir;

/// A terminal of its own, with a server of its own, gone when the test is.
pub struct Tmux(String);

impl Tmux {
    pub fn start(dir: &Dir, command: &str) -> Option<Tmux> {
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "tmux is missing: apt-get install tmux");
            eprintln!("SKIPPED: what needs a terminal (tmux is not installed)");
            return None;
        }
        let tmux = Tmux(format!("litekeel-{}-{}", std::process::id(), dir.path().file_name().unwrap().display()));
        let shell = format!("cd '{}'; {command}; echo status=$?; sleep 60", dir.path().display());
        let mut start = tmux.command(&["-f", "/dev/null", "new-session", "-d", "-x", "90", "-y", "20", &shell]);
        assert!(start.env_remove("NO_COLOR").env_remove("TMUX").status().unwrap().success());
        Some(tmux)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.0]).args(arguments);
        command
    }

    pub fn ask(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.command(arguments).output().unwrap().stdout).unwrap()
    }

    /// The screen, once it fulfils the condition.
    pub fn screen(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.ask(&["capture-pane", "-p"]);
            if condition(&screen) {
                return screen;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "{what}, but:\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
    }
}
