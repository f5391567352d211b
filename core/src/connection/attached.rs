//! Carrying over to attached databases what SQLite keeps for each database, and SQLite's own defaults would replace.

use std::ffi::CString;
use std::sync::Arc;

use crate::connection::Connection;
use crate::connection::followers::Followers;
use crate::connection::guard::Guard;
use crate::error::Result;
use crate::events::{Event, EventName};
use crate::raw::{handle, quoted};
use crate::replication::signs;
use crate::report::{Attached, ReportRow};
use crate::settings::SettingId;
use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::replicated;
use crate::vfs::shim;
use crate::wal::checkpointer;

impl Connection {
    /// The databases that are attached, with what was carried over to them, as SQLite reads it back, and what their files
    /// warn of.
    ///
    /// # Errors
    /// `KEEL_CLOSED`, `KEEL_FORKED`.
    pub fn attached(&self) -> Result<Vec<Attached>> {
        let guard = self.lock()?;
        guard.settle_attached();
        let Some(followers) = &self.identity.followers else { return Ok(Vec::new()) };
        // SAFETY: the guard keeps the connection open and to this thread.
        let all = unsafe { shim::attached_to(guard.raw()) };
        let report = all.into_iter().map(|(name, watch)| {
            let rows = followers.pragmas.iter().map(|(id, wanted)| ReportRow {
                name: id.key(),
                value: guard.pragma(&name, *id, None).unwrap_or_default(),
                wanted: wanted.clone(),
                source: "connection",
                note: if watch.attachment.is_explicit(id.key()) { "set by itself".to_owned() } else { String::new() },
            });
            Attached {
                path: watch.path.clone(),
                rows: rows.collect(),
                warnings: watch.attachment.admitted().map(|admitted| admitted.warnings.clone()).unwrap_or_default(),
                name,
            }
        });
        Ok(report.collect())
    }
}

impl Guard<'_> {
    /// Carries the connection's settings over to what has been attached since the last time. In a transaction SQLite takes
    /// no other `synchronous`: until it is over, the file's own methods see to the disk.
    pub(crate) fn settle_attached(&self) {
        let Some(followers) = &self.connection.identity.followers else { return };
        if !followers.policy.is_pending() || self.in_transaction() {
            return;
        }
        followers.policy.settled();
        // SAFETY: the guard keeps the connection open and to this thread.
        for (name, watch) in unsafe { shim::attached_to(self.raw()) } {
            if watch.attachment.begins_to_follow() {
                self.carry_over(followers, &name, &watch);
            }
        }
    }

    fn carry_over(&self, followers: &Followers, name: &str, watch: &Arc<FileMonitor>) {
        let admitted = watch.attachment.admitted().cloned().unwrap_or_default();
        let mut warnings = admitted.warnings;
        let no_mmap = admitted.no_mmap.then(|| (SettingId::MmapSize, "0".to_owned()));
        for (id, wanted) in followers.pragmas.iter().cloned().chain(no_mmap) {
            if watch.attachment.is_explicit(id.key()) {
                continue;
            }
            self.pragma(name, id, Some(&wanted));
            let has = self.pragma(name, id, None).unwrap_or_default();
            if has != wanted {
                warnings.push(format!("{} of {name} was set to {wanted} and reads back as {has}", id.key()));
            } else if id == SettingId::Synchronous {
                watch.attachment.sync_commits(false);
            }
        }
        let replicated = self.declare_replicated(followers, name, watch);
        if (followers.persist_wal || replicated)
            && let Ok(schema) = CString::new(name)
        {
            let mut on: i32 = 1;
            // SAFETY: the guard keeps the connection open; the opcode takes an int by its address.
            unsafe {
                let opcode = sqlite::SQLITE_FCNTL_PERSIST_WAL;
                sqlite::sqlite3_file_control(self.raw(), schema.as_ptr(), opcode, (&raw mut on).cast());
            }
        }
        let wal = self.pragma_text(&format!("PRAGMA {}.journal_mode", quoted::name(name)));
        if let Some(wish) = followers.wish.clone().filter(|_| !replicated && wal.as_deref() == Some("wal")) {
            checkpointer::join(watch, wish);
        }
        for warning in warnings {
            self.connection.emit(Event::new(EventName::AttachedWarning).text("name", name).text("message", warning));
        }
    }

    /// Whether Litestream replicates an attached database; from here on nothing of this process checkpoints it then.
    fn declare_replicated(&self, followers: &Followers, name: &str, watch: &Arc<FileMonitor>) -> bool {
        let Some(alarm) = followers.policy.replication else { return false };
        let Ok(schema) = CString::new(name) else { return false };
        // SAFETY: the guard keeps the connection open and to this thread.
        let found = replicated::is_replicated(watch) || unsafe { signs::table(self.raw(), &schema) }.is_some();
        if found {
            watch.file.replicated.declare(alarm);
        }
        found
    }

    fn pragma(&self, name: &str, id: SettingId, value: Option<&str>) -> Option<String> {
        let value = value.map_or_else(String::new, |value| format!("={value}"));
        self.pragma_text(&format!("PRAGMA {}.{}{value}", quoted::name(name), id.key()))
    }

    fn pragma_text(&self, sql: &str) -> Option<String> {
        // SAFETY: the guard keeps the connection open and to this thread.
        unsafe { handle::query_owned_sql(self.raw(), sql.to_owned()) }.ok().flatten()
    }
}
