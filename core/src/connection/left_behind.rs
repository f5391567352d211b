//! What a close leaves: statements that were not finalized, and a WAL with the reason why it stays.

use crate::connection::Connection;
use crate::locks::holders::shown_command;
use crate::locks::processes;
use crate::raw::{handle, quoted};
use crate::report::CloseReport;
use crate::settings::Access;
use crate::vfs::replicated;
use crate::{registry, sqlite};

/// The SQL of every statement on the handle, but for those that virtual tables have made for themselves: these end with
/// the handle.
pub(super) unsafe fn statements(db: *mut sqlite::sqlite3) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = std::ptr::null_mut();
    // SAFETY: the handle is open; SQLite owns the text.
    unsafe {
        loop {
            statement = sqlite::sqlite3_next_stmt(db, statement);
            if statement.is_null() {
                break;
            }
            found.push(handle::copy_text(sqlite::sqlite3_sql(statement)).unwrap_or_default());
        }
        found.retain(|sql| !is_of_a_virtual_table(db, sql));
    }
    found
}

/// Whether SQL spells a table as virtual tables do: FTS3, FTS5 and the R-tree `'main'.'t_data'` (and FTS5
/// `PRAGMA 'main'.data_version`), others `"main"."t_data"`, of which SQLite knows that they belong to a virtual table.
///
/// # Safety
/// As for [`handle::query_text`].
unsafe fn is_of_a_virtual_table(db: *mut sqlite::sqlite3, sql: &str) -> bool {
    let sql = quoted::text(sql);
    let query = format!(
        "SELECT 1 FROM pragma_table_list WHERE instr({sql}, printf('''%q''.''%q''', schema, name)) \
         OR {sql} = printf('PRAGMA %Q.data_version', schema) OR type = 'shadow' AND instr({sql}, printf('\"%w\".\"%w\"', schema, name)) LIMIT 1"
    );
    // SAFETY: the caller's promise.
    matches!(unsafe { handle::query_owned_sql(db, query) }, Ok(Some(_)))
}

/// Why there is still a `-wal`. `persist`: SQLite was told to leave it.
pub(super) fn why_wal_remains(connection: &Connection, report: &CloseReport, persist: bool) -> String {
    let others = connection.identity.file.map_or(0, |file| registry::others_on(file, connection.id));
    let cause = if !report.leaked_statements.is_empty() {
        "statements that were not finalized keep this connection alive".to_owned()
    } else if connection.identity.watch.as_ref().is_some_and(|watch| replicated::is_replicated(watch)) {
        "Litestream replicates the database, and finds its WAL there".to_owned()
    } else if persist {
        "persist_wal keeps it".to_owned()
    } else if others > 0 {
        format!("{others} other connection(s) of this process use the database")
    } else if connection.identity.access == Access::Read {
        "the last connection was opened read-only and may not remove it".to_owned()
    } else {
        match connection.path().and_then(processes::users) {
            Some(users) if !users.is_empty() => other_processes(&users),
            // Known not to be: nobody has a lock.
            Some(_) => match report.warnings.iter().find_map(|warning| warning.strip_prefix("checkpoint: ")) {
                Some(failure) => format!("the checkpoint failed ({failure})"),
                None => "the checkpoint did not finish".to_owned(),
            },
            None => "another process uses the database".to_owned(),
        }
    };
    format!("{cause}; no data is lost: the next connection reads it")
}

fn other_processes(users: &[processes::User]) -> String {
    let mut names: Vec<String> = users
        .iter()
        .take(3)
        .map(|user| format!("pid {} ({})", user.pid, shown_command(user.pid, &user.command)))
        .collect();
    if users.len() > 3 {
        names.push(format!("{} more", users.len() - 3));
    }
    format!("other processes use the database: {}", names.join(", "))
}
