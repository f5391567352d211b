//! Closing, and what is told of it.

use litekeel_core::{CloseReport, Result};
use napi::sys;

use crate::connection::call::{Call, native_exports};
use crate::js::value;
use crate::open::tuned::{failure, strings};

native_exports! {
    c"closeDatabase" => close,
}

/// `(token)` → for a tuned connection, what `closed` lists
unsafe fn close(call: &Call) -> Option<sys::napi_value> {
    let token = call.token()?;
    if token.is_running() {
        value::throw_type(call.env, "This database connection is busy executing a query");
        return None;
    }
    token.close().map(|outcome| closed(call, &outcome))
}

/// `[[rolled back, optimized, wal removed], wal bytes left, why, leaked statements, warnings, owners left]` with numbers
/// for booleans, or an error as `failure` lists it
fn closed(call: &Call, outcome: &Result<CloseReport>) -> sys::napi_value {
    let report = match outcome {
        Ok(report) => report,
        Err(error) => return failure(call, error),
    };
    let flags = [report.rolled_back, report.optimized, report.wal_removed];
    call.list(&[
        call.list(&flags.map(|flag| value::number(call.env, f64::from(u8::from(flag))))),
        value::number(call.env, report.wal_bytes_left as f64),
        value::string(call.env, report.why.as_bytes()),
        strings(call, &report.leaked_statements),
        strings(call, &report.warnings),
        value::number(call.env, report.owners_left as f64),
    ])
}
