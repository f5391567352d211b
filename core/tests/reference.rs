//! `docs/settings.md` is what the library's own table says.

#[test]
fn the_reference_page_is_the_generated_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let generated = litekeel_core::reference_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == generated, "docs/settings.md is stale: make header");
}

#[test]
fn the_node_module_names_results_as_the_core_does() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings-node/lib/codes.js");
    let generated = litekeel_core::codes_js();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == generated, "bindings-node/lib/codes.js is stale: make header");
}
