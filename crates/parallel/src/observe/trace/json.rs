//! As much JSON as a trace needs: numbers, texts, and objects of these.
//!
//! By hand, since `serde_json` lets numbers be compared with its values, and in each program that is linked
//! with it, however far away, the compiler then finds some types no longer by itself.

use std::fmt::{self, Display, Write};

/// A text in quotes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(c))?,
                _ => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// An object, as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    members: String,
}

impl Object {
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.number(name, Text(value))
    }

    /// Whatever is written as it is.
    pub(super) fn number(mut self, name: &str, value: impl Display) -> Self {
        let comma = if self.members.is_empty() { "" } else { "," };
        write!(self.members, "{comma}{}:{value}", Text(name)).expect("a String takes any text");
        self
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.members)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let text = Text("a \"b\" c:\\d\n\t\0é🍕").to_string();
        assert_eq!(text, r#""a \"b\" c:\\d\n\u0009\u0000é🍕""#);
    }

    #[test]
    fn objects_have_their_members_in_order() {
        assert_eq!(Object::default().to_string(), "{}");
        let object = Object::default().number("n", 1.5).text("t", "\"");
        assert_eq!(object.to_string(), r#"{"n":1.5,"t":"\""}"#);
    }
}
