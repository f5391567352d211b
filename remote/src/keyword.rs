//! What a statement does to its transaction, by its first keyword.

use litekeel_core::skip_space;

/// What a statement does to its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Opens one, on a stream that is kept.
    Begins,
    /// Ends one: COMMIT, END, and RELEASE of the outermost savepoint.
    Commits,
    /// Gives one up.
    RollsBack,
    /// Changes nothing, so that it can be sent again.
    Reads,
    /// Anything else. WITH may begin a write.
    Other,
}

/// The effect of the statement's first keyword.
pub(crate) fn effect(sql: &str) -> Effect {
    // An empty statement may stand before it.
    let mut bytes = skip_space(sql.as_bytes());
    while let Some(rest) = bytes.strip_prefix(b";") {
        bytes = skip_space(rest);
    }
    let length = bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    match bytes[..length].to_ascii_uppercase().as_slice() {
        b"BEGIN" | b"SAVEPOINT" => Effect::Begins,
        b"COMMIT" | b"END" | b"RELEASE" => Effect::Commits,
        // ROLLBACK TO goes back to a savepoint, and the transaction goes on.
        b"ROLLBACK" if goes_back_to_savepoint(&bytes[length..]) => Effect::Other,
        b"ROLLBACK" => Effect::RollsBack,
        b"SELECT" | b"VALUES" | b"EXPLAIN" => Effect::Reads,
        _ => Effect::Other,
    }
}

fn goes_back_to_savepoint(rest: &[u8]) -> bool {
    let next = skip_space(rest);
    let length = next.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    match next[..length].to_ascii_uppercase().as_slice() {
        b"TO" => true,
        b"TRANSACTION" => goes_back_to_savepoint(&next[length..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_reads_is_a_read() {
        assert_eq!(effect("-- a\n /* b */ select 1"), Effect::Reads);
        for sql in ["with a as (select 1) insert into t select * from a", "", "selects", "PRAGMA user_version = 1"] {
            assert_eq!(effect(sql), Effect::Other, "{sql}");
        }
        for sql in ["\tBegin immediate", "; /* x */ ;BEGIN", "\u{feff}BEGIN"] {
            assert_eq!(effect(sql), Effect::Begins, "{sql}");
        }
        assert_eq!(effect("END"), Effect::Commits);
        assert_eq!((effect("rollback transaction"), effect("ROLLBACK;")), (Effect::RollsBack, Effect::RollsBack));
        for sql in ["ROLLBACK TO a", "rollback /* x */ transaction to savepoint a"] {
            assert_eq!(effect(sql), Effect::Other, "{sql}");
        }
    }
}
