//! Calls beside each other: on the backends on which tasks run at the same time.

use std::sync::mpsc::channel;

use parallel::{current, delayed};

use super::parallel;
use crate::tools::{Signal, meet, with_deadline};

fn own_index(_: usize) -> usize {
    current().expect("this is a task").index()
}

#[test]
fn a_stream_that_waits_for_its_input_leaves_other_calls_their_workers() {
    with_deadline(|| {
        let parallel = parallel(2).batch_size(1);
        let (ask, asked) = channel();
        let mut waits = parallel.iter(asked.into_iter().map(|i| delayed(own_index, i)));
        for i in 0..10 {
            ask.send(i).unwrap();
            assert_eq!(waits.next().unwrap().unwrap(), i);
        }
        for streams in [true, false] {
            let signals = [Signal::new(), Signal::new()];
            let paths = || signals.iter().map(Signal::path);
            let tasks: Vec<_> = paths()
                .map(|path| delayed(meet, (path, paths().collect())))
                .collect();
            let mut workers: Vec<_> = if streams {
                parallel.iter(tasks).map(Result::unwrap).collect()
            } else {
                parallel.run(tasks).unwrap()
            };
            workers.sort_unstable();
            assert_eq!(workers, [0, 1]);
        }
    });
}
