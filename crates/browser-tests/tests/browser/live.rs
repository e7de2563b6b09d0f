//! The page that grows.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use parallel::{Parallel, Report, delayed};

use crate::tab::Tab;

#[test]
fn the_page_grows_while_the_run_goes_on() {
    let report = Report::serve("127.0.0.1:0").unwrap().title("Live");
    let url = format!("http://{}/", report.local_addr().unwrap());
    let parallel = Parallel::new(2).batch_size(1).observer(report);
    let mut tab = Tab::open(&url);
    tab.wait_for("state.textContent.startsWith('Waiting')");

    // One task waits until the others have been seen.
    let seen = Arc::new(Barrier::new(2));
    let gate = Arc::clone(&seen);
    let run = std::thread::spawn(move || {
        let tasks = (0..50).map(|i| {
            let gate = Arc::clone(&gate);
            delayed(
                move |i: u64| {
                    if i == 0 {
                        gate.wait();
                    } else {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                },
                i,
            )
        });
        let done = parallel.run(tasks).map(|results| results.len());
        (parallel, done)
    });
    tab.wait_for("run.counts.finished === 49");
    assert_eq!(tab.text("#state"), "The run is going on.");
    tab.wait_for("run.running.length === 1 && run.running[0][1].index === 0");
    tab.value("scrollTo(0, 0)");
    seen.wait();
    let (parallel, done) = run.join().unwrap();
    assert_eq!(done.unwrap(), 50);
    tab.wait_for("run.ended");
    assert_eq!(tab.number("run.counts.finished"), 50.0);
    assert_eq!(tab.text("#state"), "The run has ended.");

    // The next call begins a page of its own.
    assert_eq!(parallel.map(|i| i, 0..3).unwrap(), [0, 1, 2]);
    tab.wait_for("run.ended && run.counts.finished === 3");
    drop(parallel);
    // The program goes on; only its page does not.
    tab.wait_for("state.textContent.includes('served')");
    assert_eq!(
        tab.text("#state"),
        "The run has ended. This page is served no more."
    );
    tab.has_nothing_to_complain_of();
}
