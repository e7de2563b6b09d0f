//! Large values: how far from a copy in memory.

use bytemuck::Pod;
use parallel::{Parallel, Processes, delayed};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::case::{Aim, Case, JOBS, OURS, Unit};
use crate::tasks::{each, echo};

const MIB: usize = 1 << 20;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for mib in [1, 16, 256] {
        cases.push(there_and_back::<u8>(mib, "u8"));
        cases.push(there_and_back::<f64>(mib, "f64"));
    }
    cases
}

/// A vector that goes to a worker and comes back.
fn there_and_back<T>(mib: usize, name: &str) -> Case
where
    T: Pod + Serialize + DeserializeOwned + Send + Sync,
{
    let size = mib * MIB;
    let width = size_of::<T>();
    let case = Case::new(
        format!("large-{mib}mib-{name}"),
        format!("Processes, a `Vec<{name}>` of {mib} MiB there and back"),
        Unit::Seconds,
    )
    .about(
        "A task whose argument and whose result are the vector; time of a warm call. `memcpy` copies it twice, \
         to memory that is there already; `clone` does to new memory.",
    )
    .aim(Aim::times(2.0, &["memcpy"]))
    .aim(Aim::times(1.0, &["procspawn", "joblib loky"]))
    .peer(OURS, move |_| {
        let parallel = Parallel::new(JOBS).backend(Processes::new());
        let value = filled::<T>(size);
        move || {
            let value = value.clone();
            each(1, || parallel.run([delayed(echo, value)]))
        }
    })
    .peer("memcpy", move |_| {
        let (value, mut copy) = (filled::<T>(size), filled::<T>(size));
        move || {
            each(1, || {
                copy.copy_from_slice(&value);
                copy.copy_from_slice(&value);
            })
        }
    })
    .yardstick()
    .peer("clone", move |_| {
        let value = filled::<T>(size);
        move || each(1, || value.clone().clone())
    })
    .yardstick()
    .peer("procspawn", move |_| {
        let pool = procspawn::Pool::new(JOBS).expect("procspawn has its pool");
        let value = filled::<T>(size);
        move || {
            let value = value.clone();
            each(1, || pool.spawn(value, echo).join())
        }
    })
    .python("joblib loky", "LokyLarge", &[size as f64, width as f64]);
    if mib > 16 { case.heavy() } else { case }
}

/// No zeros, which need no memory of their own before they are written to.
pub(super) fn filled<T: Pod>(size: usize) -> Vec<T> {
    bytemuck::allocation::pod_collect_to_vec(&vec![1_u8; size])
}
