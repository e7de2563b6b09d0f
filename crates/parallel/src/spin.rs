//! Waiting for what comes at once, before sleeping for what does not.
//!
//! To be woken takes some 5 to 50 µs; to look again and again takes nothing but a core, if nobody else needs it.
//! So a side looks for a short time where that has paid off lately, gives the core to whoever wants it meanwhile,
//! and then sleeps. One that has nothing to do for long has looked once.

use std::cell::Cell;
use std::convert::Infallible;
use std::hint::spin_loop;
use std::thread::yield_now;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

/// Looking for longer costs more than to be woken.
const MOST: Duration = Duration::from_micros(30);

/// What one success is worth: so many failures in a row until there is no more looking.
const TRUST: u8 = 4;

/// From then on every so many-th time, to see whether things have changed.
const PROBE: u32 = 32;

/// Who waits for the other side's next step in something large, at which that side is, looks for so long: it may have
/// to be woken, or to get memory.
const MOST_MIDWAY: Duration = Duration::from_millis(1);

/// Who gave its core away and was away for so long needs one that somebody else needs too.
const AWAY: Duration = Duration::from_micros(100);

/// Whether it has paid off to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spin {
    trust: u8,
    waits: u32,
    /// So many times there is no looking midway, since the core was needed.
    pause: u32,
    /// The same for the last time that it was needed.
    last_pause: u32,
}

impl Default for Spin {
    fn default() -> Self {
        Self::NEW
    }
}

thread_local! {
    static OF_THIS_THREAD: Cell<Spin> = const { Cell::new(Spin::NEW) };
}

/// Looks until it is `seen`, or it is time to sleep, where that has paid off for this thread; whether it was seen.
pub(crate) fn look(seen: &mut dyn FnMut() -> bool) -> bool {
    look_each(1, seen)
}

/// The same, but looks only each so many-th time that it could, and at the end.
pub(crate) fn look_each(every: u32, seen: &mut dyn FnMut() -> bool) -> bool {
    let mut spin = OF_THIS_THREAD.get();
    let Ok(seen) = spin.until_each(every, || Ok::<_, Infallible>(seen()));
    OF_THIS_THREAD.set(spin);
    seen
}

/// Locks what others mostly hold for a few microseconds, in which nobody can be woken.
pub(crate) fn lock<S>(mutex: &Mutex<S>) -> MutexGuard<'_, S> {
    let mut guard = mutex.try_lock();
    if guard.is_none() {
        look(&mut || {
            guard = (!mutex.is_locked()).then(|| mutex.try_lock()).flatten();
            guard.is_some()
        });
    }
    guard.unwrap_or_else(|| mutex.lock())
}

impl Spin {
    const NEW: Self = Self {
        trust: TRUST,
        waits: 0,
        pause: 0,
        last_pause: 0,
    };

    /// Looks until it is `ready`, or it is time to sleep, while the other side is at the rest of something large. Whether
    /// it has paid off lately says nothing about that, but whether somebody else needs the core.
    pub(crate) fn midway<E>(
        &mut self,
        mut ready: impl FnMut() -> Result<bool, E>,
    ) -> Result<bool, E> {
        if self.pause > 0 || cfg!(loom) {
            self.pause = self.pause.saturating_sub(1);
            return self.until(ready);
        }
        let start = Instant::now();
        let mut now = start;
        while now - start < MOST_MIDWAY {
            for _ in 0..16 {
                if ready()? {
                    self.last_pause = self.last_pause.saturating_sub(1);
                    return Ok(true);
                }
                spin_loop();
            }
            now = Instant::now();
            yield_now();
            if now.elapsed() >= AWAY {
                self.last_pause = (2 * self.last_pause).clamp(PROBE, PROBE * PROBE);
                self.pause = self.last_pause;
                break;
            }
        }
        ready()
    }

    /// Looks until it is `ready`, or it is time to sleep; whether it is ready.
    pub(crate) fn until<E>(&mut self, ready: impl FnMut() -> Result<bool, E>) -> Result<bool, E> {
        self.until_each(1, ready)
    }

    /// The same, but looks only each so many-th time that it could, and at the end: else what came meanwhile would count as
    /// a failure where the time is over before that.
    fn until_each<E>(
        &mut self,
        every: u32,
        mut ready: impl FnMut() -> Result<bool, E>,
    ) -> Result<bool, E> {
        self.waits = self.waits.wrapping_add(1);
        // Who looks seldom has just been there.
        if every == 1 && ready()? {
            return Ok(true);
        }
        if self.trust == 0 && !self.waits.is_multiple_of(PROBE) {
            return Ok(false);
        }
        if cfg!(loom) {
            // There is no time: to have looked twice is as good as any other number.
            return ready();
        }
        let (start, mut times) = (Instant::now(), 0_u32);
        loop {
            times += 1;
            for _ in 0..16 {
                spin_loop();
            }
            if times.is_multiple_of(every) && ready()? {
                self.trust = TRUST;
                return Ok(true);
            }
            yield_now();
            let looked = start.elapsed();
            if looked >= MOST {
                let is_ready = ready()?;
                // Who was away for long has been in somebody's way.
                let in_the_way = looked >= 4 * MOST;
                self.trust = match (in_the_way, is_ready) {
                    (true, _) => 0,
                    (false, true) => TRUST,
                    (false, false) => self.trust.saturating_sub(1),
                };
                return Ok(is_ready);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(spin: &mut Spin, ready_at: usize) -> (bool, usize) {
        let mut looks = 0;
        let ready = spin.until(|| {
            looks += 1;
            Ok::<_, Infallible>(looks == ready_at)
        });
        (ready.unwrap(), looks)
    }

    #[test]
    fn who_waits_in_vain_soon_does_not_look_any_more() {
        let mut spin = Spin::default();
        assert_eq!(looks(&mut spin, 1), (true, 1));
        let in_vain = |spin: &mut Spin| looks(spin, usize::MAX).1 > 1;
        let first = (0..PROBE).filter(|_| in_vain(&mut spin)).count();
        assert!(first <= usize::from(TRUST) + 1, "{first}");
        let later = (0..10 * PROBE).filter(|_| in_vain(&mut spin)).count();
        assert_eq!(later, 10);
    }

    #[test]
    fn who_looks_seldom_looks_at_the_end_and_what_is_there_has_paid_off() {
        let (before, never) = (2, u32::MAX);
        let mut spin = Spin {
            trust: before,
            ..Spin::NEW
        };
        let seen = spin.until_each(never, || Ok::<_, Infallible>(true));
        assert_eq!(seen, Ok(true));
        // None where somebody else needed the core meanwhile.
        assert!([TRUST, 0].contains(&spin.trust), "{spin:?}");

        spin.trust = before;
        let seen = spin.until_each(never, || Ok::<_, Infallible>(false));
        assert_eq!(seen, Ok(false));
        assert!(spin.trust < before, "{spin:?}");
    }

    #[test]
    fn midway_it_looks_whether_or_not_that_has_paid_off() {
        let mut spin = Spin {
            trust: 0,
            ..Spin::NEW
        };
        let mut looks = 0;
        let ready = spin.midway(|| {
            looks += 1;
            Ok::<_, Infallible>(looks == 10)
        });
        assert_eq!((ready, looks), (Ok(true), 10));
        assert_eq!(spin.midway(|| Ok::<_, Infallible>(false)), Ok(false));
    }

    #[test]
    fn midway_it_does_not_look_where_the_core_was_needed() {
        let mut spin = Spin {
            trust: 0,
            pause: 2,
            ..Spin::NEW
        };
        for pause in [1, 0] {
            let mut looks = 0;
            let ready = spin.midway(|| {
                looks += 1;
                Ok::<_, Infallible>(false)
            });
            assert_eq!((ready, looks, spin.pause), (Ok(false), 1, pause));
        }
    }

    #[test]
    fn it_looks_again_when_that_pays_off() {
        let mut spin = Spin {
            trust: 0,
            waits: PROBE - 1,
            ..Spin::NEW
        };
        assert_eq!(looks(&mut spin, 2), (true, 2));
        assert_eq!(looks(&mut spin, 2), (true, 2));
    }
}
