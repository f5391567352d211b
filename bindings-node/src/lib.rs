//! litekeel's N-API binding.
// `println!` and `eprintln!` panic where nobody reads any more: `core/src/platform/standard_error.rs` does not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod buffer;
mod connection;
mod dispatcher;
mod extension;
mod hooks;
mod js;
mod monitoring;
mod open;
mod reader;
#[cfg(feature = "remote")]
mod remote;
mod replica;
mod session;
mod statement;
mod threads;

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
        let Some(environment) = buffer::environment::create(env, exports) else { return exports };
        statement::register(&environment, exports);
        open::plain::register(&environment, exports);
        open::close::register(&environment, exports);
        extension::register(&environment, exports);
        open::tuned::register(&environment, exports);
        open::descriptor::register(&environment, exports);
        hooks::register(&environment, exports);
        session::register(&environment, exports);
        monitoring::register(&environment, exports);
        open::sharing::register(&environment, exports);
        dispatcher::register(&environment, exports);
        reader::register(&environment, exports);
        replica::register(&environment, exports);
        #[cfg(feature = "remote")]
        remote::register(&environment, exports);
        connection::progress_handler::register(&environment, exports);
        connection::at_exit::register(&environment, exports);
        connection::progress_handler::end_waits_with_thread();
        export_path(env, exports);
    }
    exports
}

/// Exports the path of the object that this function is in: not everywhere does the system tell what a process has loaded.
///
/// # Safety
/// Handles of the running initialisation.
unsafe fn export_path(env: sys::napi_env, exports: sys::napi_value) {
    // SAFETY: asks the loader about an address of this object; the name lives as long as that is loaded.
    unsafe {
        let mut here: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(napi_register_module_v1 as *const libc::c_void, &mut here) != 0 && !here.dli_fname.is_null() {
            let path = js::value::string(env, std::ffi::CStr::from_ptr(here.dli_fname).to_bytes());
            js::object::define(env, exports, c"library", path);
        }
    }
}
