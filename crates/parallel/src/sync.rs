//! The primitives of what a model checker looks at: parking_lot and std, or, built with `--cfg loom`,
//! loom's stand-ins, which try every order in which threads can meet.

pub(crate) use self::imp::*;

#[cfg(not(loom))]
mod imp {
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::{Arc, atomic};
    pub(crate) use std::thread;

    pub(crate) fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
        mutex.lock()
    }

    /// Sleeps until it is woken, or for so long.
    pub(crate) fn park_for(time: std::time::Duration) {
        thread::park_timeout(time);
    }

    pub(crate) fn wait<'a, V>(
        condvar: &Condvar,
        mut guard: MutexGuard<'a, V>,
    ) -> MutexGuard<'a, V> {
        condvar.wait(&mut guard);
        guard
    }

    /// The same, until then at most.
    pub(crate) fn wait_until<'a, V>(
        condvar: &Condvar,
        _mutex: &'a Mutex<V>,
        mut guard: MutexGuard<'a, V>,
        time: std::time::Instant,
    ) -> MutexGuard<'a, V> {
        condvar.wait_until(&mut guard, time);
        guard
    }
}

#[cfg(loom)]
mod imp {
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
    pub(crate) use loom::thread;

    pub(crate) fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
        mutex.lock().unwrap()
    }

    /// There is no time: it is over at once, or when nobody else can go on, and both are tried.
    pub(crate) fn park_for(_: std::time::Duration) {
        if !TIMES.next_is_short() {
            thread::yield_now();
        }
    }

    loom::lazy_static! {
        static ref TIMES: Times = Times::default();
    }

    /// For each time that passes whether it is short. Who says so is not waited for, so loom tries both.
    #[derive(Default)]
    struct Times {
        passed: Mutex<usize>,
        short: [Arc<atomic::AtomicBool>; 4],
    }

    impl Times {
        fn next_is_short(&self) -> bool {
            let mut passed = lock(&self.passed);
            if *passed == 0 {
                let short = self.short.clone();
                let say = || short.map(|short| short.store(true, atomic::Ordering::Relaxed));
                drop(thread::spawn(say));
            }
            *passed += 1;
            let short = self.short.get(*passed - 1);
            short.is_some_and(|short| short.load(atomic::Ordering::Relaxed))
        }
    }

    pub(crate) fn wait<'a, V>(condvar: &Condvar, guard: MutexGuard<'a, V>) -> MutexGuard<'a, V> {
        condvar.wait(guard).unwrap()
    }

    /// The time has come already.
    pub(crate) fn wait_until<'a, V>(
        _: &Condvar,
        mutex: &'a Mutex<V>,
        guard: MutexGuard<'a, V>,
        _: std::time::Instant,
    ) -> MutexGuard<'a, V> {
        drop(guard);
        thread::yield_now();
        lock(mutex)
    }
}
