//! litekeel's N-API binding.

mod care;
mod courier;
mod descriptor;
mod direct;
mod exit;
mod extension;
mod hooks;
mod object;
mod reader;
mod session;
mod sharing;
mod tuned;

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
        direct::register(env, exports);
        extension::register(env, exports);
        tuned::register(env, exports);
        descriptor::register(env, exports);
        hooks::register(env, exports);
        session::register(env, exports);
        care::register(env, exports);
        sharing::register(env, exports);
        courier::register(env, exports);
        reader::register(env, exports);
    }
    exports
}
