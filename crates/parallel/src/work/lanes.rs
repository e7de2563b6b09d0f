//! How many lanes a call has, and what follows from that. On a cluster it may change while the call runs.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Input, PreDispatch, Work, ahead};
use crate::delayed::Task;
use crate::jobs::NJobs;

/// The lanes of a call.
pub(super) struct Lanes {
    /// As they were asked for.
    wanted: NJobs,
    /// As many as it began with.
    at_first: usize,
    now: AtomicUsize,
    /// How many tasks may be on their way for each.
    pub(super) pre_dispatch: PreDispatch,
}

impl Lanes {
    pub(super) fn new(wanted: NJobs, lanes: usize, pre_dispatch: PreDispatch) -> Self {
        Self {
            wanted,
            at_first: lanes,
            now: AtomicUsize::new(lanes),
            pre_dispatch,
        }
    }
}

impl<T: Task> Work<'_, T> {
    /// How many of `lanes` can have something to do at all.
    pub fn lanes_needed(&self, lanes: usize) -> usize {
        if let Some(origin) = &self.origin {
            return origin.lanes_needed(lanes);
        }
        let at_most = match &self.input {
            Input::Source(source) => source.lock().at_most(),
            Input::Feed(_) => self.at_most,
        };
        at_most.map_or(lanes, |tasks| lanes.min(tasks)).max(1)
    }

    /// How many lanes it may have that was given so many, now that so many tasks can run at a time: another number
    /// where that of the jobs counts from those.
    pub(crate) fn lanes_among(&self, slots: usize, given: usize) -> usize {
        // Whoever passes work on may have a number of his own in mind.
        if self.origin.is_some() || given != self.lanes.at_first {
            return given;
        }
        let wanted = self.lanes.wanted.resolve_among(Some(slots));
        wanted.unwrap_or(given)
    }

    /// It has so many lanes from now on.
    pub(crate) fn has_lanes(&self, lanes: usize) {
        self.lanes.now.store(lanes, Ordering::Relaxed);
        let batch_size = {
            let mut sizing = self.sizing.lock();
            sizing.begin_with(lanes);
            sizing.next(None)
        };
        self.widen(batch_size);
    }

    /// Has the number of permits follow that of the lanes and the size of the batches, unless it is fixed.
    pub(super) fn widen(&self, batch_size: usize) {
        if let Some(window) = &self.window {
            let lanes = self.lanes.now.load(Ordering::Relaxed);
            let fixed = self.lanes.pre_dispatch.bound(lanes);
            window.set_limit(fixed.unwrap_or_else(|| ahead(batch_size).saturating_mul(lanes)));
        }
    }

    /// Whether the number of permits follows the size of the batches.
    pub(super) fn grows(&self) -> bool {
        self.lanes.pre_dispatch == PreDispatch::Auto
    }
}
