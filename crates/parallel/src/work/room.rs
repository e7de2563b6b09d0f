//! Room for the results of a call, each of which is written once, in its place.
//!
//! ```text
//!   Room     0 ─────────── given out ───────────┬──── free ─────► capacity
//!   Rows     ├── lane 0 ──┼─ lane 1 ─┼─ lane 0 ─┤                 each belongs to one lane at a time
//!   append   ├────── in order ──────┤            ┆                 ─► the vector that the caller gets
//! ```
//!
//! The promise of the `unsafe` here: each place is in one [`Row`] at most, which gets it from the [`Room`] or from the row
//! that had it, so that no two rows overlap, and a row owns the values that were pushed into it, as a vector does. The memory is freed when the
//! room and all of its rows are gone.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::vec::IntoIter;

/// Where the results of a call will be, if their number is known.
#[derive(Debug)]
pub(super) struct Room<R> {
    capacity: usize,
    memory: Option<Arc<Memory<R>>>,
    /// The places before this one have been given out.
    given: usize,
    /// Of them, those that came back unused.
    returned: Vec<Row<R>>,
}

/// A vector without its length.
#[derive(Debug)]
struct Memory<R> {
    start: NonNull<R>,
    capacity: usize,
    values: PhantomData<R>,
}

// SAFETY: it has no values of its own, and frees memory, which any thread may do. Rows reach the values through
// it, no two rows the same one; so a value is only where its row is, and both go to another thread together.
unsafe impl<R: Send> Send for Memory<R> {}
// SAFETY: as above: a shared reference gives an address only.
unsafe impl<R: Send> Sync for Memory<R> {}

/// Places side by side, and the values of the first of them.
#[derive(Debug)]
pub(super) struct Row<R> {
    memory: Arc<Memory<R>>,
    first: usize,
    len: usize,
    end: usize,
}

impl<R> Room<R> {
    /// For so many results. The number is a hint, and may be wrong.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            memory: None,
            given: 0,
            returned: Vec::new(),
        }
    }

    /// Some of the places from `first` on that nobody has, if they are there; room is made at the first time.
    pub(super) fn give(&mut self, first: usize, len: usize) -> Option<Row<R>> {
        let end = first.checked_add(len)?;
        let held = |row: &Row<R>| row.first == first && row.end >= end;
        if let Some(place) = self.returned.iter().position(held) {
            let mut row = self.returned.swap_remove(place);
            let rest = row.split_off(len);
            self.take_back(rest);
            return Some(row);
        }
        if first < self.given || end > self.capacity {
            return None;
        }
        if self.memory.is_none() {
            self.memory = Memory::new(self.capacity).map(Arc::new);
        }
        let Some(memory) = &self.memory else {
            // A hint that lies must not end the program.
            self.capacity = 0;
            return None;
        };
        self.given = end;
        Some(Row {
            memory: Arc::clone(memory),
            first,
            len: 0,
            end,
        })
    }
}

impl<R> Room<R> {
    /// Takes back places that nobody has used, to give them to somebody else.
    pub(super) fn take_back(&mut self, row: Row<R>) {
        let ours = |memory| Arc::ptr_eq(memory, &row.memory);
        if row.len == 0 && row.first < row.end && self.memory.as_ref().is_some_and(ours) {
            self.returned.push(row);
        }
    }
}

impl<R> Memory<R> {
    fn new(capacity: usize) -> Option<Self> {
        let mut values = Vec::<R>::new();
        values.try_reserve_exact(capacity).ok()?;
        Some(Self::of(values))
    }

    fn of(values: Vec<R>) -> Self {
        let mut values = ManuallyDrop::new(values);
        Self {
            start: NonNull::new(values.as_mut_ptr())
                .expect("a vector's pointer is none to nothing"),
            capacity: values.capacity(),
            values: PhantomData,
        }
    }

    /// The vector of its first values.
    ///
    /// # Safety
    /// So many values are there, and belong to nobody else.
    unsafe fn into_vec(self, len: usize) -> Vec<R> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the parts are those of the vector that `new` took apart, but for the length, of which the
        // caller says that it is right; and this was all that had them.
        unsafe { Vec::from_raw_parts(this.start.as_ptr(), len, this.capacity) }
    }
}

impl<R> Drop for Memory<R> {
    fn drop(&mut self) {
        // SAFETY: the parts are those of the vector that `new` took apart, without any values.
        drop(unsafe { Vec::from_raw_parts(self.start.as_ptr(), 0, self.capacity) });
    }
}

impl<R> Row<R> {
    /// One that has all of a room, however large.
    pub(super) fn alone(len: usize) -> Self {
        Self {
            memory: Arc::new(Memory::of(Vec::with_capacity(len))),
            first: 0,
            len: 0,
            end: len,
        }
    }

    /// How many values there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Its places behind so many, of which it has used no more.
    ///
    /// # Panics
    /// If it has.
    pub(super) fn split_off(&mut self, places: usize) -> Self {
        assert!(self.len <= places, "values lie in these places");
        let middle = self.first.saturating_add(places).min(self.end);
        let rest = Self {
            memory: Arc::clone(&self.memory),
            first: middle,
            len: 0,
            end: self.end,
        };
        self.end = middle;
        rest
    }

    /// Puts what `call` makes of each of the `tasks`, of which the first has this `index`, to the next place, as
    /// long as it `goes_on` after that. The tasks that are left stay where they were, at a panic too.
    ///
    /// One loop over tasks and places, with a single count: where places had an end and a count of their own, it took
    /// half as long again for no-op tasks.
    ///
    /// # Panics
    /// If there are more tasks than places.
    #[inline]
    pub(super) fn fill<T>(
        &mut self,
        index: usize,
        tasks: &mut IntoIter<T>,
        mut call: impl FnMut(usize, T) -> R,
        mut goes_on: impl FnMut(&R) -> bool,
    ) {
        let used = self.first + self.len;
        assert!(
            tasks.len() <= self.end - used,
            "a row has as many places as it was given"
        );
        // The place of index 0, if there were one.
        let start = self.memory.start.as_ptr().wrapping_add(used);
        let start = start.wrapping_sub(index);
        let mut filling = Filling::new(self, index, tasks);
        for task in filling.tasks.by_ref() {
            let value = call(filling.index, task);
            let place = start.wrapping_add(filling.index);
            // SAFETY: it is one of the row's places, which lie within the memory: as many as there are tasks are left
            // (asserted above), and this is the next one; no value is there yet.
            unsafe { place.write(value) };
            filling.index += 1;
            // SAFETY: it has just been written, and stays as long as the row, which is borrowed.
            if !goes_on(unsafe { &*place }) {
                break;
            }
        }
    }

    /// Takes over the row that lies right behind this one, or gives it back.
    pub(super) fn append(&mut self, mut next: Self) -> Result<(), Self> {
        let adjacent = self.first + self.len == next.first;
        if !adjacent || !Arc::ptr_eq(&self.memory, &next.memory) {
            return Err(next);
        }
        self.len += mem::take(&mut next.len);
        self.end = next.end;
        Ok(())
    }

    /// Its values: at no cost if the room is there for them only, else they are moved.
    pub(super) fn into_vec(mut self) -> Vec<R> {
        let (first, len) = (self.first, mem::take(&mut self.len));
        let memory = Arc::clone(&self.memory);
        drop(self);
        let memory = match Arc::try_unwrap(memory) {
            // SAFETY: these were the values of a row that starts with the room, and has given them up.
            Ok(memory) if first == 0 => return unsafe { memory.into_vec(len) },
            Ok(memory) => Arc::new(memory),
            Err(memory) => memory,
        };
        let mut values = Vec::with_capacity(len);
        let start = memory.start.as_ptr().wrapping_add(first);
        // SAFETY: so many values are there, of which nobody else knows any more, and as much room is in a new
        // vector.
        unsafe { ptr::copy_nonoverlapping(start, values.as_mut_ptr(), len) };
        // SAFETY: they have just been moved there.
        unsafe { values.set_len(len) };
        values
    }
}

/// What changes while a row is filled, in a variable that nobody else can see, so that the compiler can keep it in
/// registers. Goes back at the end, or at a panic.
struct Filling<'r, R, T> {
    tasks: IntoIter<T>,
    index: usize,
    first: usize,
    home: (&'r mut Row<R>, &'r mut IntoIter<T>),
}

impl<'r, R, T> Filling<'r, R, T> {
    #[inline]
    fn new(row: &'r mut Row<R>, index: usize, tasks: &'r mut IntoIter<T>) -> Self {
        Self {
            tasks: mem::take(tasks),
            index,
            first: index,
            home: (row, tasks),
        }
    }
}

impl<R, T> Drop for Filling<'_, R, T> {
    #[inline]
    fn drop(&mut self) {
        let (row, tasks) = &mut self.home;
        row.len += self.index - self.first;
        **tasks = mem::take(&mut self.tasks);
    }
}

impl<R> Drop for Row<R> {
    fn drop(&mut self) {
        let start = self.memory.start.as_ptr().wrapping_add(self.first);
        let values = ptr::slice_from_raw_parts_mut(start, self.len);
        // SAFETY: these values were pushed into this row, and nobody has taken them over.
        unsafe { ptr::drop_in_place(values) };
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
