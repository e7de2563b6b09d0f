//! Who starts a task, and what becomes of it if the worker dies: with loom, in every order of the two
//! sides, for a death at each step of the worker. See `supervision` for the parent's part.

use crate::backend::processes::memory::Control;
use crate::backend::processes::ring::tests::loom::{Bell, Memory};
use crate::backend::processes::ring::{Consumer, DATA, Producer, must_ring, no_wish, wish};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, thread};
use ::loom::model::Builder;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

const TASKS: u8 = 3;

/// What a worker does for each task: it claims it, runs it, writes the result, announces it.
const STEPS: u32 = 4;

const GENERATION: u16 = 7;
const NEXT: u16 = 8;

/// What both sides see.
struct Shared {
    control: Control,
    results: Arc<Memory>,
    /// The bell, and the end of the process: the parent waits for both at once.
    bell: Bell,
    gone: AtomicBool,
    /// Whether the worker notes when it starts a task.
    timed: bool,
    /// How often each task has run. It is looked at in the end only, so loom need not see it.
    runs: [AtomicU32; TASKS as usize],
}

impl Shared {
    fn new(timed: bool) -> Arc<Self> {
        let control = Control::default();
        control.revoke(GENERATION);
        Arc::new(Self {
            control,
            // All results fit, so that the worker never waits.
            results: Memory::new(4),
            bell: Bell::default(),
            gone: AtomicBool::new(false),
            timed,
            runs: Default::default(),
        })
    }

    fn runs(&self) -> Vec<u32> {
        let runs = self.runs.iter();
        runs.map(|runs| runs.load(Ordering::Relaxed)).collect()
    }
}

/// The worker: it has been sent all tasks, and is no more after so many steps.
fn work(shared: &Shared, steps: u32) {
    let mut left = steps;
    let mut results = Producer::new(Arc::clone(&shared.results));
    let mut alive = || {
        let alive = left > 0;
        left = left.saturating_sub(1);
        alive
    };
    for task in 0..TASKS {
        if !alive() {
            break;
        }
        if shared.timed {
            shared.control.set_claimed_at(Duration::from_nanos(1));
        }
        if !shared.control.claim(GENERATION) {
            break;
        }
        if !alive() {
            break;
        }
        shared.runs[usize::from(task)].fetch_add(1, Ordering::Relaxed);
        if !alive() {
            break;
        }
        assert_eq!(results.write(&[task]), Ok(1));
        if !alive() {
            break;
        }
        if must_ring(&shared.results.consumer_wish, DATA) {
            shared.bell.ring();
        }
    }
    shared.gone.store(true, Ordering::Release);
    shared.bell.ring();
}

/// The parent, for one worker.
struct Parent {
    shared: Arc<Shared>,
    results: Consumer<Arc<Memory>>,
    received: Vec<u8>,
}

/// What became of the tasks: those with a result come first, then the culprit.
#[derive(Debug)]
struct Fates {
    done: u8,
    culprit: Option<u8>,
    again: Vec<u8>,
}

impl Parent {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            results: Consumer::new(Arc::clone(&shared.results)),
            received: Vec::new(),
        }
    }

    fn receive(&mut self) -> bool {
        self.results.read(&mut self.received).unwrap() > 0
    }

    /// Receives until all is there, or the worker is gone; loom finds a wake-up that never comes.
    fn serve(&mut self) {
        let shared = Arc::clone(&self.shared);
        while self.received.len() < usize::from(TASKS) {
            if self.receive() {
                continue;
            }
            wish(&shared.results.consumer_wish, DATA);
            let there = self.results.available().unwrap() > 0;
            if !there {
                if shared.gone.load(Ordering::Acquire) {
                    return;
                }
                shared.bell.listen();
            }
            no_wish(&shared.results.consumer_wish);
        }
    }

    /// What is told of a worker that is no more and had started so many tasks.
    fn bury(&mut self, started: u64) -> Fates {
        self.receive();
        let done = self.received.len() as u8;
        assert!(self.received.iter().copied().eq(0..done), "in order");
        let culprit = (started > u64::from(done)).then_some(done);
        let first_again = done + u8::from(culprit.is_some());
        Fates {
            done,
            culprit,
            again: (first_again..TASKS).collect(),
        }
    }
}

/// Each task ends in one way, and has run as often as that way allows.
fn check(fates: &Fates, shared: &Shared) {
    let runs = shared.runs();
    let all = (0..fates.done)
        .chain(fates.culprit)
        .chain(fates.again.iter().copied());
    assert!(all.eq(0..TASKS), "{fates:?}");
    for task in 0..TASKS {
        let runs = runs[usize::from(task)];
        if task < fates.done {
            assert_eq!(runs, 1, "{task} is done: {fates:?}");
        } else if fates.culprit == Some(task) {
            assert!(runs <= 1, "{task} is the culprit: {fates:?}");
        } else {
            assert_eq!(runs, 0, "{task} is sent again: {fates:?}");
        }
    }
}

/// What a worker that takes so many steps and is left alone comes to.
fn expected(steps: u32) -> (u8, Option<u8>) {
    let written = (0..TASKS).filter(|task| u32::from(*task) * STEPS + 3 <= steps);
    let claimed = (0..TASKS).filter(|task| u32::from(*task) * STEPS + 1 <= steps);
    let (done, started) = (written.count() as u8, claimed.count() as u8);
    (done, (started > done).then_some(done))
}

/// Tries every order for a worker that dies after each number of steps, or not at all.
fn for_each_death(
    timed: bool,
    parent: impl Fn(&mut Parent, thread::JoinHandle<()>, u32) + Send + Sync + Copy + 'static,
) {
    for steps in 0..=STEPS * u32::from(TASKS) {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(move || {
            let shared = Shared::new(timed);
            let worker = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || work(&shared, steps))
            };
            parent(&mut Parent::new(&shared), worker, steps);
        });
    }
}

/// The culprit is the one that was claimed and has no result; what follows it is sent again.
#[test]
fn a_worker_that_dies_costs_the_task_it_was_at() {
    for_each_death(false, |parent, worker, steps| {
        parent.serve();
        let started = parent.shared.control.revoke(NEXT);
        worker.join().unwrap();
        let fates = parent.bury(started);
        check(&fates, &parent.shared);
        let told = (fates.done, fates.culprit);
        assert_eq!(told, expected(steps));
    });
}

/// The worker has done or does what it likes when it is given up, and is killed a while later.
#[test]
fn nothing_starts_that_is_sent_again() {
    for_each_death(false, |parent, worker, steps| {
        let started = parent.shared.control.revoke(NEXT);
        worker.join().unwrap();
        let fates = parent.bury(started);
        check(&fates, &parent.shared);
        let (done, culprit) = expected(steps);
        assert!(fates.done <= done && (fates.culprit.is_none() || fates.culprit == culprit));
        assert!(!parent.shared.control.claim(GENERATION));
    });
}

/// The worker is ended for its time if it is still at the task that had too much of it.
#[test]
fn a_task_is_timed_out_only_while_it_is_the_last_to_have_started() {
    static REVOKED: AtomicU32 = AtomicU32::new(0);
    for_each_death(true, |parent, worker, _| {
        let shared = Arc::clone(&parent.shared);
        // loom forgets a load over another one of the same word, so that the worker would never be further
        // on here than at its beginning; the worker does not load this.
        shared.control.claimed_at();
        let started = shared.control.started();
        parent.receive();
        let late = started > parent.received.len() as u64;
        let revoked = late && shared.control.revoke_at(GENERATION, started, NEXT);
        let started = if revoked {
            started
        } else {
            parent.serve();
            shared.control.revoke(NEXT)
        };
        worker.join().unwrap();
        let fates = parent.bury(started);
        check(&fates, &shared);
        REVOKED.fetch_add(u32::from(revoked), Ordering::Relaxed);
        if revoked {
            let ran = shared.runs().iter().sum::<u32>();
            assert!(u64::from(ran) <= started, "it went on");
        }
    });
    let revoked = REVOKED.load(Ordering::Relaxed);
    assert!(revoked > 0, "none was late");
}

/// A task must not take another call for its own: it would not see that its own has ended.
#[test]
fn a_task_that_was_claimed_knows_its_call() {
    static CLAIMED: AtomicU32 = AtomicU32::new(0);
    ::loom::model(|| {
        let shared = Shared::new(false);
        let call = shared.control.call();
        let parent = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.control.revoke(NEXT);
                shared.control.end_call();
            })
        };
        let known = shared.control.call();
        if shared.control.claim(GENERATION) {
            assert_eq!(known, call);
            CLAIMED.fetch_add(1, Ordering::Relaxed);
        }
        parent.join().unwrap();
        assert_ne!(shared.control.call(), call);
    });
    assert!(CLAIMED.load(Ordering::Relaxed) > 0, "none was claimed");
}
