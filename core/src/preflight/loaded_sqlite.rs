//! Whether another copy of SQLite is loaded in this process at all, under whatever name, exported or not.
//!
//! Every copy of it has the first bytes of a database file in its constants. The objects are searched once, when they
//! are loaded; while there is none, no open has to look at the process's descriptors.

#[cfg(not(target_os = "linux"))]
pub(crate) fn may_be() -> bool {
    true
}

#[cfg(target_os = "linux")]
pub(crate) use elf::may_be;

#[cfg(target_os = "linux")]
mod elf {
    use std::ffi::{c_int, c_void};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// The first bytes of every database file.
    const MAGIC: &[u8] = b"SQLite format 3\0";
    /// More than this is not searched: a runtime of that size may have one (Node does), and looking at the descriptors
    /// costs less.
    const LONGEST: usize = 16 << 20;

    static FOUND: AtomicBool = AtomicBool::new(false);
    /// How many objects, in the loader's order, have been searched in vain.
    static SEARCHED: AtomicUsize = AtomicUsize::new(0);
    /// How many the loader had unloaded by then: each one changes the order.
    static UNLOADED: AtomicUsize = AtomicUsize::new(0);

    struct Search {
        index: usize,
        searched: usize,
        found: bool,
    }

    /// Whether another object of the process carries an SQLite, or is too large to be searched.
    pub(crate) fn may_be() -> bool {
        if FOUND.load(Ordering::Relaxed) {
            return true;
        }
        let mut search = Search { index: 0, searched: SEARCHED.load(Ordering::Relaxed), found: false };
        // SAFETY: the callback has the signature that is asked for, and `search` outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
        if search.found {
            FOUND.store(true, Ordering::Relaxed);
        } else {
            // Two threads at once search the same twice.
            SEARCHED.store(search.index, Ordering::Relaxed);
        }
        search.found
    }

    unsafe extern "C" fn look(object: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
        // SAFETY: the loader describes a loaded object: its headers, and segments that stay mapped during the call.
        // `search` is that of `may_be`.
        unsafe {
            let (object, search) = (&*object, &mut *search.cast::<Search>());
            if search.index == 0 {
                let unloaded = object.dlpi_subs as usize;
                if UNLOADED.swap(unloaded, Ordering::Relaxed) != unloaded {
                    search.searched = 0;
                }
            }
            search.index += 1;
            if search.index <= search.searched {
                return 0;
            }
            let headers = std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into());
            let constants = headers.iter().filter(|header| {
                header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_R != 0 && header.p_flags & libc::PF_W == 0
            });
            let segments: Vec<&[u8]> = constants
                .map(|header| {
                    let start = object.dlpi_addr.wrapping_add(header.p_vaddr) as *const u8;
                    std::slice::from_raw_parts(start, header.p_filesz as usize)
                })
                .collect();
            // The object that this code is in has ours.
            let here = look as *const u8;
            if segments.iter().any(|segment| segment.as_ptr_range().contains(&here)) {
                return 0;
            }
            let size: usize = segments.iter().map(|segment| segment.len()).sum();
            search.found = size > LONGEST || segments.iter().any(|segment| has_magic(segment));
            c_int::from(search.found)
        }
    }

    /// By the letter of it that is the rarest.
    fn has_magic(mut bytes: &[u8]) -> bool {
        while let Some(at) = position(bytes, b'Q') {
            // Byte by byte, and not by the C library: see `position`.
            if at > 0
                && bytes.len() > at - 1 + MAGIC.len() - 1
                && bytes[at - 1..].iter().zip(MAGIC).all(|(a, b)| a == b)
            {
                return true;
            }
            bytes = &bytes[at + 1..];
        }
        false
    }

    /// Word by word, which is quick enough in unoptimised builds too. Not by the C library's `memchr`: before that stands
    /// the sanitizer of a program built with one, and the gaps that it has put between the program's own constants are
    /// read here as well as the constants.
    fn position(bytes: &[u8], byte: u8) -> Option<usize> {
        const WORD: usize = size_of::<usize>();
        /// Each byte is 1.
        const ONES: usize = usize::MAX / 255;
        let mut at = 0;
        while let Some(word) = bytes.get(at..at + WORD) {
            let word = word.try_into().map_or(0, usize::from_ne_bytes) ^ (ONES * usize::from(byte));
            // Whether one of its bytes is 0.
            if word.wrapping_sub(ONES) & !word & (ONES << 7) != 0 {
                break;
            }
            at += WORD;
        }
        bytes[at..].iter().position(|other| *other == byte).map(|found| at + found)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_first_bytes_of_a_database_are_found_wherever_they_lie() {
            for before in [0, 1, 17, 4096] {
                let mut bytes = b"Q".repeat(before);
                bytes.extend(MAGIC);
                assert!(has_magic(&bytes));
                assert!(!has_magic(&bytes[..bytes.len() - 1]));
            }
            let text: Vec<u8> = (0..100).map(|n| b'a' + n % 13).collect();
            for byte in b'a'..=b'z' {
                for from in 0..20 {
                    let plain = text[from..].iter().position(|other| *other == byte);
                    assert_eq!(position(&text[from..], byte), plain, "{byte} from {from}");
                }
            }
            for none in [&b""[..], b"Q", b"SQ", b"SQLite format 4\0", b"QLite format 3\0"] {
                assert!(!has_magic(none));
            }
        }
    }
}
