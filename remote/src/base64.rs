//! Base64 as the server takes it: the standard alphabet, and no padding.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// Strict about all but the bits behind the last byte, which mean nothing.
const PLAIN: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Appends the text of `bytes`.
pub(crate) fn encode(bytes: &[u8], out: &mut String) {
    PLAIN.encode_string(bytes, out);
}

/// The bytes of a text, with or without padding; `None` when it is not base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    PLAIN.decode(text.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|at: u32| (at * 151 + length * 7) as u8).collect();
            let mut text = String::new();
            encode(&bytes, &mut text);
            assert_eq!(decode(&text).as_deref(), Some(&bytes[..]), "{text}");
            assert!(!text.contains('='));
        }
        let mut text = String::new();
        encode(&[0xfb, 0xff], &mut text);
        assert_eq!((text.as_str(), decode("+/8=")), ("+/8", Some(vec![0xfb, 0xff])));
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["A", "AA-A", "AAAAA", "A A", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
