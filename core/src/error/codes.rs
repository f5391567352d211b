//! litekeel's own error codes: one table of name, number, class and hint.
//!
//! SQLite's codes are positive and keep their meaning; ours are negative, so the two never collide. A number is
//! never reused and never changes its meaning; new codes are appended.

/// What kind of mistake or condition a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// The URL, a setting or an option is wrong: correct it and call again.
    Config,
    /// The file system does not allow what was asked: a path, a permission, a file of another kind.
    Path,
    /// Going on could lose or corrupt data.
    Safety,
    /// The call does not fit the state of the connection.
    State,
    /// The handle was closed, or it is not one of litekeel's.
    Handle,
    /// A defect of litekeel.
    Internal,
}

/// One row of the table of codes.
#[derive(Debug)]
pub struct Code {
    /// The number, negative.
    pub value: i32,
    /// The name that every host shows: `KEEL_UNKNOWN_PARAM`.
    pub name: &'static str,
    /// What kind of condition it is.
    pub class: Class,
    /// What to do when the error itself carries no better hint.
    pub hint: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $value:literal, $class:ident, $hint:literal;)*) => {
        $($(#[doc = $doc])* pub const $name: i32 = $value;)*
        /// Every code, in the order of the numbers.
        pub static TABLE: &[Code] = &[$(Code {
            value: $value,
            name: concat!("KEEL_", stringify!($name)),
            class: Class::$class,
            hint: $hint,
            meaning: concat!($($doc),*).trim_ascii(),
        },)*];
    };
}

include!("codes_table.rs");

impl Class {
    /// What codes of this kind have in common, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Class::Config => "The URL, a setting or an option is wrong: correct it and call again.",
            Class::Path => "The file system does not allow what was asked.",
            Class::Safety => "Going on could lose or corrupt data.",
            Class::State => "The call does not fit the state of the connection.",
            Class::Handle => "The handle was closed, or it is not one of litekeel's.",
            Class::Internal => "A defect of litekeel.",
        }
    }
}

/// The row of a negative code.
pub fn lookup(value: i32) -> Option<&'static Code> {
    TABLE.iter().find(|code| code.value == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_down_and_names_are_unique() {
        assert_eq!(TABLE[0].value, -1);
        // A number may be left out: it is never given again, so it is given once it is certain what for.
        for pair in TABLE.windows(2) {
            assert!(pair[1].value < pair[0].value, "{} after {}", pair[1].name, pair[0].name);
        }
        for code in TABLE.iter() {
            assert_eq!(TABLE.iter().filter(|c| c.name == code.name).count(), 1);
            assert!(code.meaning.ends_with('.') && !code.meaning.starts_with(' '), "{}: {:?}", code.name, code.meaning);
        }
    }
}
