//! The numbers that slots have, in the environment of what they start.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::parallel;
use crate::tools::{Signal, meet, with_deadline};

#[test]
fn slots_of_a_node_have_different_numbers() {
    fn number(task: (PathBuf, Vec<PathBuf>)) -> String {
        meet(task);
        std::env::var("PARALLEL_INDEX").unwrap()
    }
    let signals: Vec<_> = (0..4).map(|_| Signal::new()).collect();
    let paths = || signals.iter().map(Signal::path);
    let tasks = paths().map(|path| (path, paths().collect()));
    let parallel = parallel(4).batch_size(1);
    // Both nodes are on this machine, as are all of the engine's processes.
    let numbers = with_deadline(|| parallel.map(number, tasks)).unwrap();
    assert_eq!(BTreeSet::from_iter(&numbers).len(), 4, "{numbers:?}");
}
