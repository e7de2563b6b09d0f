//! The cases, a file for each group of them.

mod threads;

use crate::case::Case;

/// A heading of the page, with its cases.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) cases: Vec<Case>,
}

/// All there are, in the order of the page.
pub(crate) fn all() -> Vec<Group> {
    let group = |title, cases| Group { title, cases };
    vec![group("Threads", threads::cases())]
}
