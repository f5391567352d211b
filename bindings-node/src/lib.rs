//! litekeel's N-API binding.

mod buffer;
mod connection;
mod dispatcher;
mod extension;
mod hooks;
mod js;
mod monitoring;
mod open;
mod reader;
mod session;
mod statement;

use napi::sys;

/// Called by Node and Bun when they load the shared object.
///
/// # Safety
/// Only a runtime that implements Node-API calls this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn napi_register_module_v1(env: sys::napi_env, exports: sys::napi_value) -> sys::napi_value {
    // SAFETY: resolves Node-API's functions in the running process; handles are those of the running call.
    unsafe {
        sys::setup();
        let Some(environment) = statement::create(env, exports) else { return exports };
        statement::register(&environment, exports);
        open::plain::register(&environment, exports);
        extension::register(&environment, exports);
        open::tuned::register(&environment, exports);
        open::descriptor::register(&environment, exports);
        hooks::register(&environment, exports);
        session::register(&environment, exports);
        monitoring::register(&environment, exports);
        open::sharing::register(&environment, exports);
        dispatcher::register(&environment, exports);
        reader::register(&environment, exports);
        connection::progress_handler::register(&environment, exports);
        connection::at_exit::register(&environment, exports);
    }
    exports
}
