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

    pub(crate) fn wait<'a, V>(
        condvar: &Condvar,
        mut guard: MutexGuard<'a, V>,
    ) -> MutexGuard<'a, V> {
        condvar.wait(&mut guard);
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

    pub(crate) fn wait<'a, V>(condvar: &Condvar, guard: MutexGuard<'a, V>) -> MutexGuard<'a, V> {
        condvar.wait(guard).unwrap()
    }
}
