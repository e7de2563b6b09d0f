//! The cases, a file for each group of them.

mod clusters;
mod growth;
mod instructions;
mod jobs;
mod large;
mod memory;
mod processes;
mod shared;
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
        group("Shared arrays", shared::cases()),
        group("Jobs", jobs::cases()),
        group("Memory", memory::cases()),
        group("Growth", growth::cases(quick)),
        group("Instructions", instructions::cases()),
        // Last: what is idle of them takes some of the processors.
        group("Clusters", clusters::cases()),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::case::{Limit, OURS, Unit};
    use crate::page;
    use crate::report::Report;
    use crate::rounds::FAILED;

    fn cases() -> Vec<Case> {
        all(false)
            .into_iter()
            .flat_map(|group| group.cases)
            .collect()
    }

    #[test]
    fn names_and_titles_are_one_case_each() {
        let names: BTreeSet<String> = cases().into_iter().map(|case| case.name).collect();
        let titles: BTreeSet<String> = cases().into_iter().map(|case| case.title).collect();
        assert_eq!((names.len(), titles.len()), (cases().len(), cases().len()));
    }

    /// An aim that names nobody would be left out in silence.
    #[test]
    fn aims_are_about_peers_that_are_there() {
        for case in cases() {
            let peers: BTreeSet<&str> = case.peers.iter().map(|peer| peer.name.as_str()).collect();
            assert_eq!(peers.len(), case.peers.len(), "{}", case.name);
            for aim in &case.aims {
                assert!(peers.contains(aim.who.as_str()), "{}: {aim:?}", case.name);
                if let Limit::Times(_, others) = &aim.limit {
                    for other in others {
                        assert!(peers.contains(other.as_str()), "{}: {aim:?}", case.name);
                    }
                }
            }
        }
    }

    /// Ratios are to the first peer.
    #[test]
    fn ours_is_first() {
        for case in cases() {
            let first = &case.peers[0];
            let lines = first.point.is_some();
            assert!(first.name == OURS || lines, "{}: {}", case.name, first.name);
            assert!(lines || case.unit != Unit::Seconds || case.peers.len() > 1);
        }
    }

    #[test]
    fn the_front_page_shows_cases_that_are_there() {
        for (name, _) in page::FRONT {
            assert!(cases().iter().any(|case| case.name == name), "{name}");
        }
    }

    const AGAIN: &str = "run `cargo xtask bench`";

    fn report() -> Report {
        let json = include_str!("../../../../docs/benchmarks.json");
        serde_json::from_str(json).expect(AGAIN)
    }

    #[test]
    fn the_page_has_the_cases_that_there_are() {
        let (here, report) = (cases(), report());
        let here: Vec<(&str, &str)> = here.iter().map(|c| (&*c.name, &*c.title)).collect();
        let there: Vec<(&str, &str)> = report.cases().map(|c| (&*c.name, &*c.title)).collect();
        assert_eq!(here, there, "{AGAIN}");
    }

    #[test]
    fn nobody_failed_in_the_run_of_the_page() {
        let report = report();
        let failed = report.missing().find(|(_, who)| who.ends_with(FAILED));
        assert!(failed.is_none(), "{failed:?}: {AGAIN}");
    }

    #[test]
    fn the_page_and_the_front_page_say_what_the_figures_say() {
        let report = report();
        let redraw = "run `cargo xtask bench --redraw`";
        let page = include_str!("../../../../docs/benchmarks.md");
        assert_eq!(page, page::page(&report), "{redraw}");
        let readme = include_str!("../../../../README.md");
        let again = page::with_front(readme, &page::front(&report));
        assert_eq!(Some(readme), again.as_deref(), "{redraw}");
    }
}
