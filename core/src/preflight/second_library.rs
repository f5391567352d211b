//! A second litekeel in this process: another file of it, loaded by another host. Each would have an SQLite of its own.
//!
//! Every object that contains this library carries a mark, an ELF note or a section of its own in Mach-O; the loaded
//! objects are asked for theirs.

use super::errors;
use crate::error::Result;
use crate::settings::words::ForeignSqlite;

/// Refuses (or, with `warn`, returns a warning) when several objects in this process carry litekeel. Looks at the first
/// open: a copy that is loaded later finds itself to be the second.
///
/// # Errors
/// `KEEL_TWO_COPIES`, with the paths of all.
pub(crate) fn check(action: Option<ForeignSqlite>) -> Result<Option<String>> {
    use std::sync::atomic::{AtomicBool, Ordering};
    static ALONE: AtomicBool = AtomicBool::new(false);
    if action == Some(ForeignSqlite::Off) || ALONE.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let copies = mark::carriers();
    if copies.len() < 2 {
        ALONE.store(true, Ordering::Relaxed);
        return Ok(None);
    }
    let text =
        format!("{} copies of litekeel are loaded in this process; they do not see each other's locks", copies.len());
    if action == Some(ForeignSqlite::Warn) {
        return Ok(Some(format!("{text}: {}", copies.join(", "))));
    }
    Err(errors::two_copies(text, &copies))
}

#[cfg(target_vendor = "apple")]
mod mark {
    use std::ffi::{CStr, c_char, c_ulong, c_void};

    #[used]
    #[unsafe(link_section = "__DATA,__litekeel")]
    static MARK: [u8; 8] = *b"litekeel";

    unsafe extern "C" {
        fn _dyld_image_count() -> u32;
        fn _dyld_get_image_header(index: u32) -> *const c_void;
        fn _dyld_get_image_name(index: u32) -> *const c_char;
        fn getsectiondata(
            header: *const c_void,
            segment: *const c_char,
            section: *const c_char,
            size: *mut c_ulong,
        ) -> *const u8;
    }

    /// The paths of the objects that carry the mark, in the order in which they were loaded.
    pub(super) fn carriers() -> Vec<String> {
        // Keeps the mark in the object: a linker may drop what nobody reads.
        std::hint::black_box(&raw const MARK);
        let mut found = Vec::new();
        // SAFETY: the loader's own list; an image that is unloaded meanwhile gives null, or is still mapped.
        unsafe {
            for index in 0.._dyld_image_count() {
                let (header, name) = (_dyld_get_image_header(index), _dyld_get_image_name(index));
                let mut size = 0;
                if !header.is_null()
                    && !name.is_null()
                    && !getsectiondata(header, c"__DATA".as_ptr(), c"__litekeel".as_ptr(), &mut size).is_null()
                {
                    found.push(CStr::from_ptr(name).to_string_lossy().into_owned());
                }
            }
        }
        found
    }
}

/// Other systems' objects carry no mark that could be asked for.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
mod mark {
    pub(super) fn carriers() -> Vec<String> {
        Vec::new()
    }
}

#[cfg(target_os = "linux")]
mod mark {
    use std::ffi::{CStr, c_int, c_void};

    const NAME: [u8; 12] = *b"litekeel\0\0\0\0";
    /// "litekeel" and its NUL, without the padding.
    const NAME_SIZE: u32 = 9;
    const TYPE: u32 = 1;

    #[repr(C)]
    struct Note {
        name_size: u32,
        description_size: u32,
        kind: u32,
        name: [u8; 12],
    }

    #[used]
    #[unsafe(link_section = ".note.litekeel")]
    static NOTE: Note = Note { name_size: NAME_SIZE, description_size: 0, kind: TYPE, name: NAME };

    /// The paths of the objects that carry the note, in the order in which they were loaded.
    pub(super) fn carriers() -> Vec<String> {
        // Keeps the note in the object: a linker may drop what nobody reads.
        std::hint::black_box(&raw const NOTE);
        let mut found: Vec<String> = Vec::new();
        // SAFETY: the callback has the signature that is asked for, and `found` outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut found).cast()) };
        found
    }

    unsafe extern "C" fn look(object: *mut libc::dl_phdr_info, _: usize, found: *mut c_void) -> c_int {
        // SAFETY: the loader describes a loaded object: its headers, and segments that stay mapped during the call.
        // `found` is the vector of `carriers`.
        unsafe {
            let object = &*object;
            let headers = std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into());
            let carries = headers.iter().filter(|header| header.p_type == libc::PT_NOTE).any(|header| {
                let segment = object.dlpi_addr.wrapping_add(header.p_vaddr) as *const u8;
                has_ours(std::slice::from_raw_parts(segment, header.p_memsz as usize), header.p_align as usize)
            });
            if carries {
                let name = CStr::from_ptr(object.dlpi_name).to_string_lossy();
                let path = if name.is_empty() {
                    // The program itself.
                    std::fs::read_link("/proc/self/exe")
                        .map_or_else(|_| "the program".into(), |exe| exe.display().to_string())
                } else {
                    name.into_owned()
                };
                (*found.cast::<Vec<String>>()).push(path);
            }
        }
        0
    }

    /// Whether a segment of notes has ours. Each is a header of three words, the name and the description, the latter two
    /// padded to the segment's alignment.
    fn has_ours(mut segment: &[u8], align: usize) -> bool {
        let padded = |size: u32| (size as usize).next_multiple_of(if align == 8 { 8 } else { 4 });
        while let Some((header, rest)) = segment.split_at_checked(12) {
            let word = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().unwrap_or_default());
            let (name, description, kind) = (word(0), word(4), word(8));
            if kind == TYPE && name == NAME_SIZE && rest.starts_with(&NAME[..NAME_SIZE as usize]) {
                return true;
            }
            let Some(next) = rest.get(padded(name).saturating_add(padded(description))..) else { return false };
            segment = next;
        }
        false
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn note(name: &[u8], description: &[u8], kind: u32) -> Vec<u8> {
            let mut bytes = Vec::new();
            for word in [name.len() as u32, description.len() as u32, kind] {
                bytes.extend(word.to_ne_bytes());
            }
            for part in [name, description] {
                bytes.extend(part);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        }

        #[test]
        fn ours_is_found_behind_others_and_nothing_else_is_taken_for_it() {
            let other = note(b"GNU\0", &[1; 20], 3);
            let ours = note(b"litekeel\0", b"", 1);
            assert!(has_ours(&[other.clone(), ours.clone()].concat(), 4));
            assert!(!has_ours(&other, 4));
            assert!(!has_ours(&note(b"litekeels", b"", 1), 4));
            assert!(!has_ours(&note(b"litekeel\0", b"", 2), 4));
            assert!(!has_ours(&ours[..14], 4));
            assert!(!has_ours(&note(b"X\0", &[0; 8], u32::MAX)[..13], 4));
        }

        #[test]
        fn this_program_carries_one() {
            assert_eq!(carriers().len(), 1);
        }
    }
}
