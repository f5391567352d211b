//! The savepoints of the open transaction: whether a RELEASE ends it is a question of which one opened it.

use crate::keyword::{Effect, effect, savepoint};

/// What is open, outermost first.
#[derive(Default)]
pub(crate) struct Savepoints {
    /// A savepoint opened the transaction, not BEGIN: its release is the commit.
    opens: bool,
    names: Vec<Option<Vec<u8>>>,
}

impl Savepoints {
    /// Those of a transaction that this statement has opened.
    pub(crate) fn begun(sql: &str) -> Savepoints {
        let name = savepoint(sql);
        Savepoints { opens: name.is_some(), names: name.into_iter().map(Some).collect() }
    }

    /// The latest of that name.
    fn find(&self, sql: &str) -> Option<usize> {
        let name = savepoint(sql)?;
        self.names.iter().rposition(|known| known.as_ref() == Some(&name))
    }

    /// What a statement of this transaction does to it.
    pub(crate) fn effect(&self, sql: &str) -> Effect {
        match effect(sql) {
            // A name that is not understood may be the outermost one's: its outcome is then left open rather than denied.
            Effect::Releases if self.opens && self.find(sql).is_none_or(|at| at == 0) => Effect::Commits,
            Effect::Releases | Effect::GoesBack => Effect::Other,
            other => other,
        }
    }

    /// Takes note of a statement that succeeded.
    pub(crate) fn ran(&mut self, sql: &str) {
        match (effect(sql), self.find(sql)) {
            (Effect::Begins, _) => self.names.push(savepoint(sql)),
            (Effect::Releases, Some(at)) => self.names.truncate(at),
            (Effect::GoesBack, Some(at)) => self.names.truncate(at + 1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(statements: &[&str]) -> Savepoints {
        let mut open = Savepoints::begun(statements[0]);
        statements[1..].iter().for_each(|sql| open.ran(sql));
        open
    }

    #[test]
    fn only_the_release_of_the_savepoint_that_opened_it_ends_a_transaction() {
        let inner = ["BEGIN", "SAVEPOINT a"];
        assert_eq!(after(&inner).effect("RELEASE a"), Effect::Other);
        for (statements, sql, expected) in [
            (&["SAVEPOINT a"][..], "RELEASE A", Effect::Commits),
            (&["SAVEPOINT a", "SAVEPOINT b"], "RELEASE b", Effect::Other),
            (&["SAVEPOINT a", "SAVEPOINT b"], "RELEASE \"a\"", Effect::Commits),
            (&["SAVEPOINT a", "SAVEPOINT a"], "RELEASE a", Effect::Other),
            (&["SAVEPOINT a", "SAVEPOINT a", "RELEASE a"], "RELEASE a", Effect::Commits),
            (&["SAVEPOINT a", "SAVEPOINT b", "SAVEPOINT a", "ROLLBACK TO b"], "RELEASE a", Effect::Commits),
            (&["SAVEPOINT a", "SAVEPOINT b"], "RELEASE c", Effect::Commits),
            (&["SAVEPOINT a"], "ROLLBACK TO a", Effect::Other),
            (&["SAVEPOINT a"], "ROLLBACK", Effect::RollsBack),
            (&["BEGIN", "SAVEPOINT a"], "COMMIT", Effect::Commits),
        ] {
            assert_eq!(after(statements).effect(sql), expected, "{sql} after {statements:?}");
        }
    }
}
