//! Streams for asynchronous programs, without any runtime.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_core::Stream;
use parallel::{Parallel, Processes, delayed};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn collect<S: Stream>(stream: S) -> Vec<S::Item> {
    let (mut stream, mut items) = (pin!(stream), Vec::new());
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match stream.as_mut().poll_next(&mut context) {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => return items,
            Poll::Pending => thread::park(),
        }
    }
}

fn square(i: u64) -> u64 {
    i * i
}

#[test]
fn outcomes_come_in_order() {
    let outcomes = collect(
        Parallel::new(3)
            .iter((0..5000).map(|i| delayed(square, i)))
            .into_stream(),
    );
    assert!(
        outcomes
            .into_iter()
            .map(Result::unwrap)
            .eq((0..5000).map(square))
    );
    let parallel = Parallel::new(2).backend(Processes::new()).pre_dispatch(3);
    let outcomes = collect(
        parallel
            .iter((0..500).map(|i| delayed(square, i)))
            .into_stream(),
    );
    assert!(
        outcomes
            .into_iter()
            .map(Result::unwrap)
            .eq((0..500).map(square))
    );
}

#[test]
fn unordered_outcomes_come_with_their_index() {
    let stream = Parallel::new(3).iter_unordered((0..5000).map(|i| delayed(square, i)));
    let mut outcomes: Vec<_> = collect(stream.into_stream())
        .into_iter()
        .map(|(i, o)| (i, o.unwrap()))
        .collect();
    outcomes.sort_unstable();
    assert!(
        outcomes
            .into_iter()
            .eq((0..5000).map(|i| (i as usize, square(i))))
    );
}

#[test]
fn a_waker_may_panic() {
    struct Alarm(Thread);
    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
            panic!("the alarm is broken");
        }
    }
    let mut stream = pin!(
        Parallel::new(2)
            .iter((0..100).map(|i| delayed(square, i)))
            .into_stream()
    );
    let waker = Waker::from(Arc::new(Alarm(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut outcomes = Vec::new();
    loop {
        match stream.as_mut().poll_next(&mut context) {
            Poll::Ready(Some(outcome)) => outcomes.push(outcome.unwrap()),
            Poll::Ready(None) => break,
            Poll::Pending => thread::park(),
        }
    }
    assert!(outcomes.into_iter().eq((0..100).map(square)));
}
