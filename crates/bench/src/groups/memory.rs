//! What it takes to have workers and not use them.

use crate::case::{Aim, Case, OURS, Unit};
use crate::probe;

pub(super) fn cases() -> Vec<Case> {
    let idle = Case::new("memory-idle", "Memory of an idle worker process", Unit::Bytes)
        .about(
            "What a worker has for itself (the private part of `smaps_rollup`) after a call of a hundred \
             no-op tasks on two workers; their mean.",
        )
        .aim(Aim::amount(3.0 * 1024.0 * 1024.0))
        .aim(Aim::times(1.0, &["procspawn", "joblib loky"]))
        .try_peer(OURS, |_| Ok(probe::round("idle-processes", 100)))
        .try_peer("procspawn", |_| Ok(probe::round("idle-procspawn", 100)))
        .python("joblib loky", "LokyIdle", &[])
        .python("multiprocessing.Pool", "PoolIdle", &[]);
    vec![idle.fresh()]
}
