//! When a call by its encoded argument was through with the argument, and with the call itself.

use std::cell::Cell;
use std::time::Instant;

/// When the argument was decoded, and when the function returned; `None` if it did not come to that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Laps {
    pub(crate) decoded: Option<Instant>,
    pub(crate) returned: Option<Instant>,
}

const NONE: Laps = Laps {
    decoded: None,
    returned: None,
};

thread_local! {
    /// `None` if nobody wants to know.
    static LAPS: Cell<Option<Laps>> = const { Cell::new(None) };
}

/// Those of the call that `f` makes.
pub(crate) fn of<R>(f: impl FnOnce() -> R) -> (R, Laps) {
    LAPS.set(Some(NONE));
    let result = f();
    (result, LAPS.take().unwrap_or(NONE))
}

#[inline]
pub(super) fn decoded() {
    if let Some(laps) = LAPS.get() {
        LAPS.set(Some(Laps {
            decoded: Some(Instant::now()),
            ..laps
        }));
    }
}

#[inline]
pub(super) fn returned() {
    if let Some(laps) = LAPS.get() {
        LAPS.set(Some(Laps {
            returned: Some(Instant::now()),
            ..laps
        }));
    }
}
