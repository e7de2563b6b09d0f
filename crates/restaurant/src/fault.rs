//! What is wrong with a file that somebody wrote, and where.

use std::fmt;

/// A fault in an order or on a menu: told as `file:line: message`, and nobody else's dinner suffers.
///
/// ```
/// use restaurant::fault::Fault;
///
/// let fault = Fault::new("orders.txt", 3, "there is no soup");
/// assert_eq!(fault.to_string(), "orders.txt:3: there is no soup");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    file: String,
    line: usize,
    message: String,
}

impl Fault {
    /// Lines are counted from 1.
    pub fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for Fault {}
