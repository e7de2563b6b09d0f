//! What a node and the bridge make of what no engine can be made to do in time. The slots are real.

use std::process::Command;

use super::batch::{self, Report, Terms};
use super::bridge::{RUNTIME, python};
use super::setup::Setup;
use crate::backend::processes::Image;
use crate::current::current;
use crate::deadline::with_deadline;
use crate::delayed::{Portable, delayed};
use crate::error::Failure;
use crate::wire::frame::Kind;

fn until_cancelled(_: ()) {
    while !current().unwrap().cancelled() {
        std::thread::yield_now();
    }
}

fn batch_of(task: impl Portable<Output = ()>) -> Vec<u8> {
    let mut bytes = batch::begin(&Terms {
        setup: Setup::default(),
        first: 0,
        worker: 0,
        jobs: 1,
        all_or_nothing: false,
        watched: false,
    });
    let entry = Image::of_this_process()
        .name_of(task.entry_point())
        .unwrap();
    let encode = |out: &mut Vec<u8>| task.encode(out).map(|()| entry);
    batch::frame::<Failure>(&mut bytes, Kind::Task, encode).unwrap();
    bytes
}

#[test]
fn a_batch_is_cancelled_that_its_slot_does_not_know_yet() {
    let batch = batch_of(delayed(until_cancelled, ()));
    let payload: String = batch.iter().map(|byte| format!("{byte:02x}")).collect();
    let output = with_deadline(|| {
        let script = include_str!("runtime_tests.py");
        let mut python = Command::new(python());
        python.args(["-c", script, RUNTIME]);
        python.arg(std::env::current_exe().unwrap()).arg(payload);
        python.output().expect("install python3")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // It has begun, or it has not; but it does not go on until it is killed.
    let (report, _) = batch::open::<Report>(&output.stdout).unwrap();
    assert_eq!(report.error, None, "{said}");
}

#[test]
fn the_bridge_waits_for_nobody_who_does_not_answer() {
    let output = with_deadline(|| {
        let mut python = Command::new(python());
        python.args([
            "-c",
            include_str!("bridge_tests.py"),
            include_str!("bridge.py"),
            include_str!("ray_engine.py"),
            include_str!("dask_engine.py"),
        ]);
        python.output().expect("install python3")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
