//! The cases, a file for each group of them.

mod growth;
mod jobs;
mod large;
mod memory;
mod processes;
mod streams;
mod threads;
mod uneven;

use crate::case::Case;

/// A heading of the page, with its cases.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) cases: Vec<Case>,
}

/// All there are, in the order of the page. To make them costs nothing.
pub(crate) fn all(quick: bool) -> Vec<Group> {
    let group = |title, cases| Group { title, cases };
    vec![
        group("Threads", threads::cases()),
        group("Uneven tasks", uneven::cases()),
        group("Streams", streams::cases()),
        group("Processes", processes::cases()),
        group("Large values", large::cases()),
        group("Jobs", jobs::cases()),
        group("Memory", memory::cases()),
        group("Growth", growth::cases(quick)),
    ]
}
