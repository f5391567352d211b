//! `PRAGMA busy_timeout` on a connection that waits fairly.
//!
//! SQLite's own pragma knows nothing of a busy handler: it would read 0, and setting it would replace the handler. So a
//! host shows its pragma calls to [`Guard::busy_timeout_pragma`] first.

use super::errors;
use crate::connection::guard::Guard;
use crate::error::Result;
use crate::packed::{Cell, Encoder, Packed};
use crate::raw::sql_text::PragmaText;

impl Guard<'_> {
    /// If `sql` is `PRAGMA busy_timeout`, does what it asks and returns the timeout then in force, in milliseconds: the
    /// value of its only row, whose column is named `timeout`. `None` for every other text, and for a connection that
    /// waits as SQLite itself does, whose pragma is right.
    ///
    /// # Errors
    /// `KEEL_INVALID_VALUE` for a value that is no number of milliseconds; SQLite would ignore it.
    pub fn busy_timeout_pragma(&self, sql: &str) -> Result<Option<u32>> {
        let Some(timeout) = self.busy_timeout() else { return Ok(None) };
        let Some(pragma) = PragmaText::parse(sql.as_bytes()).filter(|pragma| pragma.is(b"busy_timeout")) else {
            return Ok(None);
        };
        let Some(value) = pragma.value else { return Ok(Some(timeout.as_millis() as u32)) };
        self.refuse_change_of_shared(sql.as_bytes())?;
        let text = String::from_utf8_lossy(value);
        let ms: i64 = text.trim_matches(['\'', '"']).trim().parse().map_err(|_| errors::invalid_busy_timeout(&text))?;
        // As in SQLite, a negative timeout is none.
        let ms = i32::try_from(ms.max(0)).map_err(|_| errors::invalid_busy_timeout(&text))?;
        self.set_busy_timeout(ms as u32);
        Ok(Some(ms as u32))
    }
}

/// The rows of `PRAGMA busy_timeout`.
pub(crate) fn row(ms: u32) -> Packed {
    let mut rows = Encoder::new([b"timeout".as_slice()]);
    rows.push(Cell::Int(ms.into()));
    rows.finish()
}

#[cfg(test)]
mod tests {
    use crate::error::codes;
    use crate::{Connection, Options};

    fn timeout(url: &str, sql: &str) -> Result<Option<u32>, i32> {
        let db = Connection::open(Some(url), &Options::new()).unwrap();
        let answer = db.lock().unwrap().busy_timeout_pragma(sql).map_err(|error| error.code());
        db.close().unwrap();
        answer
    }

    #[test]
    fn the_pragma_is_recognised_however_it_is_written() {
        let url = ":memory:?busy_timeout=700";
        for (sql, answer) in [
            ("PRAGMA busy_timeout", 700),
            (" pragma main . Busy_Timeout ;", 700),
            ("/* c */ PRAGMA busy_timeout=300", 300),
            ("PRAGMA busy_timeout (\n301 );", 301),
            ("PRAGMA busy_timeout = '302'", 302),
            ("PRAGMA busy_timeout = +5", 5),
            ("PRAGMA busy_timeout = -1", 0),
            ("PRAGMA \"busy_timeout\" -- why\n", 700),
            ("PRAGMA busy_timeout = 7 -- why", 7),
        ] {
            assert_eq!(timeout(url, sql), Ok(Some(answer)), "{sql}");
        }
        for sql in ["PRAGMA cache_size", "SELECT 'PRAGMA busy_timeout'", "PRAGMA busy_timeouts", "", "PRAGMA"] {
            assert_eq!(timeout(url, sql), Ok(None), "{sql}");
        }
        assert_eq!(timeout("file::memory:?busy=sqlite", "PRAGMA busy_timeout"), Ok(None));
        for sql in ["PRAGMA busy_timeout=ten", "PRAGMA busy_timeout=99999999999", "PRAGMA busy_timeout="] {
            assert_eq!(timeout(url, sql), Err(codes::INVALID_VALUE), "{sql}");
        }
    }
}
