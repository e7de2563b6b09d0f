//! Clusters of this machine, for who wants to try one.

use super::Here;
use crate::home::{Caller, good, outcomes};
use crate::tools::with_deadline;

#[test]
fn a_local_cluster_goes_with_its_value() {
    let cluster = with_deadline(|| Here::local(2)).unwrap();
    assert_eq!(cluster.slots(), 2);
    let mut callers = Vec::new();
    let all = outcomes(&cluster, 2, |home| {
        callers.extend([home.next(), home.next()]);
        callers.iter_mut().for_each(Caller::reply);
    });
    good(all, 2);
    with_deadline(|| {
        drop(cluster);
        callers.into_iter().for_each(Caller::wait_until_gone);
    });
}
