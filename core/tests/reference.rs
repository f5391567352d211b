//! `docs/settings.md` is what the library's own table says.

#[test]
fn the_reference_page_is_the_generated_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let generated = litekeel_core::settings::reference_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == generated, "docs/settings.md is stale: make header");
}
