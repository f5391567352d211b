//! Threads that ask at one moment for the shared connection to a file, by different names of it, get the same one.

mod common;

use std::sync::{Arc, Barrier};

use common::{Dir, open};

#[test]
fn through_a_symbolic_link_too() {
    let dir = Dir::new();
    std::fs::create_dir(dir.file("real")).unwrap();
    std::os::unix::fs::symlink(dir.file("real"), dir.file("link")).unwrap();
    for round in 0..40 {
        let start = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let name = if n % 2 == 0 { "real" } else { "link" };
                let (url, start) = (dir.url(&format!("{name}/{round}.db?share=1")), start.clone());
                std::thread::spawn(move || {
                    start.wait();
                    open(&url).unwrap()
                })
            })
            .collect();
        let owners: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(owners.iter().all(|owner| Arc::ptr_eq(owner, &owners[0])), "round {round}: two connections");
        owners.iter().for_each(|owner| drop(owner.close().unwrap()));
    }
}
