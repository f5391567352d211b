//! `watch`: plain lines, JSON, its ends; and on a real terminal a picture that is drawn again in place.

mod common;

use common::tmux::Tmux;
use common::{Dir, Holder, hold_if_child};

#[test]
fn plain_lines_elsewhere_and_a_bounded_end() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let url = format!("file:{}/a.db", dir.path().display());
    let me = "plain_lines_elsewhere_and_a_bounded_end";
    let writer = Holder::start(me, &url, "INSERT INTO t VALUES(1, 2); BEGIN IMMEDIATE");
    let before = dir.listing();
    let ran = dir.litekeel(&["watch", "a.db", "--interval", "60ms", "--count", "4"]);
    assert_eq!(dir.listing(), before, "watching leaves no trace");
    assert_eq!((ran.status, ran.out.lines().count()), (0, 5), "{ran:?}");
    assert!(!ran.out.contains('\x1b') && ran.out.contains("writers 1"), "{ran:?}");
    let last = ran.out.lines().last().unwrap();
    assert!(last.contains("100 % of") && last.contains(&format!("by pid {}", writer.0.id())), "{last}");

    let ran = dir.litekeel(&["watch", "a.db", "--interval", "50ms", "--for", "200ms", "--json"]);
    let lines: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // A loaded machine has time for fewer.
    assert!((1..=4).contains(&lines.len()), "{ran:?}");
    for line in &lines {
        assert!(line["wal_bytes"].as_u64().unwrap() > 0 && line["wal"]["frames"].as_i64().unwrap() > 0, "{line}");
        assert_eq!(line["holders"][0]["pid"], writer.0.id());
    }
}

#[test]
fn a_reader_that_pins_the_wal_is_named_with_its_frame() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let url = format!("file:{}/a.db", dir.path().display());
    let me = "a_reader_that_pins_the_wal_is_named_with_its_frame";
    let first = Holder::start(me, &url, "INSERT INTO t VALUES(1, 2)");
    let reader = Holder::start(me, &url, "BEGIN; SELECT count(*) FROM t");
    let second = Holder::start(me, &url, "INSERT INTO t VALUES(3, 4); INSERT INTO t VALUES(5, 6)");
    let json = dir.litekeel(&["who", "a.db", "--json"]).json();
    let pin = &json["wal"]["pins"][0];
    assert_eq!(pin["pid"], reader.0.id(), "{json}");
    let (frame, frames) = (pin["frame"].as_i64().unwrap(), json["wal"]["frames"].as_i64().unwrap());
    assert!(frame > 0 && frames > frame && pin["frames"] == frames - frame, "{json}");
    let sentence = format!("pid {}", reader.0.id());
    let text = dir.litekeel(&["doctor", "a.db"]).out;
    let line = text.lines().find(|line| line.contains("pins frame")).unwrap();
    assert!(
        line.contains(&sentence) && line.contains(&format!("pins frame {frame}: {} frames", frames - frame)),
        "{line}"
    );
    drop((first, reader, second));
}

#[test]
fn on_a_terminal_the_picture_is_drawn_in_place_until_ctrl_c() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let command = format!("{} watch a.db --interval 100ms", env!("CARGO_BIN_EXE_litekeel"));
    let Some(tmux) = Tmux::start(&dir, &command) else { return };
    tmux.screen("nobody is there yet", |screen| screen.contains("none that this one may see"));
    let me = "on_a_terminal_the_picture_is_drawn_in_place_until_ctrl_c";
    let url = format!("file:{}/a.db", dir.path().display());
    let holder = Holder::start(me, &url, "INSERT INTO t VALUES(1, hex(randomblob(100000))); BEGIN IMMEDIATE");
    let pid = holder.0.id().to_string();
    let screen = tmux.screen("the writer appears", |screen| {
        screen.lines().any(|line| line.contains(&pid) && line.contains("writer")) && screen.contains("longest")
    });
    let titles = screen.lines().filter(|line| line.contains("/a.db  ")).count();
    assert_eq!((titles, screen.matches("write lock").count()), (1, 1), "{screen}");
    assert!(
        screen.contains('█')
            && screen.contains("frames  ")
            && screen.contains("curve: 0 to")
            && screen.contains("Ctrl-C ends it"),
        "{screen}"
    );
    assert_eq!(tmux.ask(&["display-message", "-p", "#{cursor_flag}"]).trim(), "0", "the cursor is hidden");
    // Narrower and shorter: still one picture.
    tmux.ask(&["resize-window", "-x", "50", "-y", "12"]);
    drop(holder);
    let screen = tmux.screen("the writer is gone", |screen| !screen.contains(&pid) || !screen.contains(" writer "));
    assert!(screen.lines().all(|line| line.chars().count() <= 50), "{screen}");

    tmux.ask(&["send-keys", "C-c"]);
    let screen = tmux.screen("it ends", |screen| screen.contains("status="));
    assert!(screen.contains("watched for") && screen.contains("status=0"), "{screen}");
    assert_eq!(tmux.ask(&["display-message", "-p", "#{cursor_flag}"]).trim(), "1", "the cursor is back");
}
