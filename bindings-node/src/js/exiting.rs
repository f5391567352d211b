//! Whether the process is ending: then Node's environment may be gone, and nothing may call into it any more.

use std::sync::atomic::{AtomicBool, Ordering};

static EXITING: AtomicBool = AtomicBool::new(false);

/// From now on the process is ending.
pub(crate) fn begin() {
    EXITING.store(true, Ordering::Relaxed);
}

/// Whether the process is ending.
pub(crate) fn exiting() -> bool {
    EXITING.load(Ordering::Relaxed)
}
