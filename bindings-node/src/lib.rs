//! litekeel's N-API binding.

mod care;
mod courier;
mod descriptor;
mod direct;
mod exit;
mod extension;
mod hooks;
mod object;
mod packed;
mod reader;
mod session;
mod sharing;
mod token;
mod tuned;
mod watch;

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
        let Some(environment) = packed::create(env, exports) else { return exports };
        packed::register(&environment, exports);
        direct::register(&environment, exports);
        extension::register(&environment, exports);
        tuned::register(&environment, exports);
        descriptor::register(&environment, exports);
        hooks::register(&environment, exports);
        session::register(&environment, exports);
        care::register(&environment, exports);
        sharing::register(&environment, exports);
        courier::register(&environment, exports);
        reader::register(&environment, exports);
        watch::register(&environment, exports);
    }
    exports
}
