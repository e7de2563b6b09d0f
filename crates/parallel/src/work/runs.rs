//! Runs of consecutive indices, in order. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use slab::Slab;

/// What stands for runs of indices, no two of which overlap.
///
/// Where they lie is a map of one type for whatever `C` is: the compiler makes the code of a map anew for each type of
/// value, and that was a quarter of all that it made for a call.
#[derive(Debug)]
pub(super) struct Runs<C> {
    /// How long each is, and its key, by its first index.
    places: BTreeMap<usize, (usize, usize)>,
    values: Slab<C>,
}

impl<C> Default for Runs<C> {
    fn default() -> Self {
        Self {
            places: BTreeMap::new(),
            values: Slab::new(),
        }
    }
}

impl<C> Runs<C> {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether some of these indices are in a run that is here.
    pub(super) fn overlap(&self, indices: Range<usize>) -> bool {
        let before = self.places.range(..=indices.start).next_back();
        before.is_some_and(|(first, (len, _))| first + len > indices.start)
            || self.places.range(indices).next().is_some()
    }

    /// Puts in what stands for the indices from `first` on, so many, at least one.
    pub(super) fn insert(&mut self, first: usize, len: usize, run: C) {
        let key = self.values.insert(run);
        self.places.insert(first, (len, key));
    }

    /// The indices of each.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let places = self.places.iter();
        places.map(|(first, (len, _))| *first..first + len)
    }

    /// Takes the first one out, and its indices.
    pub(super) fn pop(&mut self) -> Option<(Range<usize>, C)> {
        let (first, (len, key)) = self.places.pop_first()?;
        Some((first..first + len, self.values.remove(key)))
    }
}
