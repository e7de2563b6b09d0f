//! The parent's side of objects on their way to and from one worker.
//!
//! An object is given to a worker once, before the first task that refers to it; the worker keeps it. When
//! its last clone here is gone, the worker is told to forget it, also one that is idle. What comes with a
//! result is believed as little as the result: it must be memory that nobody can change any more.
//!
//! The socket never makes anybody wait: what it has no room for is sent later, and the tasks behind it too.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::lane::Lane;
use super::mail::Useless;
use super::packet::{self, MOST, Packet};
use super::process::Process;
use super::queued::{More, Queued};
use crate::delayed::Portable;
use crate::shared::{Forget, Object};
use crate::wire::attachments::{self, Arrival, Attached, Entered, Id};
use crate::wire::frame::{Header, Kind};

/// So many objects may wait here for the results that they belong to: as many as a program may have open.
const MOST_WAITING: usize = 1 << 20;

pub(super) struct Courier {
    /// Its other end is the worker's lifeline.
    socket: OwnedFd,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the worker has, or will have when all is sent that waits.
    known: HashSet<Id>,
    to_give: VecDeque<Vec<Arc<Object>>>,
    to_forget: Vec<Id>,
    /// How many packets it has been or will be given.
    packets: u64,
    /// Whether the frames that tell it to wait for them may not have been sent.
    untold: bool,
    /// What came with results that have not been looked at, by the number of the answer.
    waiting: Vec<(u16, Arrival)>,
}

impl Courier {
    pub(super) fn new(socket: OwnedFd) -> Arc<Self> {
        Arc::new(Self {
            socket,
            state: Mutex::default(),
        })
    }

    /// Has the worker be given what it does not have of these; how many packets it must then have got. `None`
    /// if it has all of them, or knows that it must wait for them.
    pub(super) fn post(self: &Arc<Self>, objects: &[Arc<Object>]) -> Option<u64> {
        let mut state = self.state.lock();
        let all_known = objects
            .iter()
            .all(|object| state.known.contains(&object.id()));
        if all_known && !state.untold {
            return None;
        }
        state.untold = false;
        let mut new = objects.to_vec();
        new.retain(|object| state.known.insert(object.id()));
        for objects in new.chunks(MOST) {
            for object in objects {
                let this: Weak<Self> = Arc::downgrade(self);
                object.tell_when_gone(this);
            }
            state.to_give.push_back(objects.to_vec());
            state.packets += 1;
        }
        Some(state.packets)
    }

    /// Frames that would have told the worker to wait for what it is given will not be sent.
    pub(super) fn not_told(&self) {
        self.state.lock().untold = true;
    }

    /// Sends what there is room for. False if something is left.
    pub(super) fn flush(&self) -> bool {
        // What is dropped with the last of it comes back here, to be forgotten.
        let mut given = Vec::new();
        let mut state = self.state.lock();
        if !self.flush_forgets(&mut state) {
            return false;
        }
        while let Some(objects) = state.to_give.pop_front() {
            match packet::give(&self.socket, 0, &objects, SendFlags::DONTWAIT) {
                Err(Errno::AGAIN) => {
                    state.to_give.push_front(objects);
                    return false;
                }
                // A worker that is gone is missed elsewhere.
                Ok(()) | Err(_) => given.push(objects),
            }
        }
        true
    }

    /// An object may be given again once it is forgotten, so this comes first.
    fn flush_forgets(&self, state: &mut State) -> bool {
        while !state.to_forget.is_empty() {
            let rest = state.to_forget.len().saturating_sub(MOST);
            if packet::forget(&self.socket, &state.to_forget[rest..]) == Err(Errno::AGAIN) {
                return false;
            }
            state.to_forget.truncate(rest);
        }
        true
    }

    /// Becomes readable when the worker has given something.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes in what the worker has given. False if that is more than makes sense.
    pub(super) fn take_in(&self) -> bool {
        let mut reset = false;
        loop {
            match packet::receive(&self.socket, RecvFlags::DONTWAIT) {
                Ok(Some(Packet::Give { number, objects })) => {
                    // Exact: it is an answer's number. Objects are made, and may be dropped, outside of the lock.
                    let answer = number as u16;
                    let objects = objects.into_iter().map(|mut given| {
                        let fd = given.descriptor();
                        let object = fd.and_then(|fd| Object::from_stranger(fd, given.len));
                        (answer, (given.id, object))
                    });
                    let objects: Vec<_> = objects.collect();
                    let mut state = self.state.lock();
                    state.waiting.extend(objects);
                    if state.waiting.len() > MOST_WAITING {
                        return false;
                    }
                }
                // Told once if the worker died with something unread. What it has given is there yet.
                Err(Errno::CONNRESET) if !reset => reset = true,
                Ok(None) | Err(Errno::AGAIN | Errno::CONNRESET) => return true,
                Ok(Some(Packet::Forget(_))) | Err(_) => return false,
            }
        }
    }

    /// What came with the answer of this number. What came with those before it is needed no more.
    pub(super) fn collect(&self, answer: u16) -> Option<Attached> {
        if !self.take_in() {
            return None;
        }
        let mut state = self.state.lock();
        let waiting = std::mem::take(&mut state.waiting);
        let (behind, here) = waiting.into_iter().partition::<Vec<_>, _>(|(number, _)| {
            // The numbers begin again at 0.
            (1..1 << 15).contains(&number.wrapping_sub(answer))
        });
        state.waiting = behind;
        drop(state);
        let here = here.into_iter().filter(|(number, _)| *number == answer);
        Some(here.map(|(_, object)| object).collect())
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}

impl Forget for Courier {
    fn forget(&self, id: Id) {
        let mut state = self.state.lock();
        if state.known.remove(&id) {
            state.to_forget.push(id);
            self.flush_forgets(&mut state);
        }
    }
}

impl<T: Portable> Lane<'_, '_, T>
where
    T::Output: Send + 'static,
{
    /// Has the objects go with the task at this place in the queue, whose frame begins here in the outbox. They
    /// stay with the task until its outcome is known: a worker has no time to lose what a task refers to.
    pub(super) fn send_along(&mut self, begin: usize, place: usize, objects: Vec<Arc<Object>>) {
        if objects.is_empty() {
            return;
        }
        if let Some(process) = &mut self.process
            && let Some(packets) = process.courier.post(&objects)
        {
            process.posting = true;
            let header = Header::new(Kind::Given, self.generation, 0, packets);
            self.outbox.splice(begin..begin, header.to_bytes());
        }
        self.queue[place].more_mut().objects = objects;
    }

    /// What the result of the first task in the queue may refer to: what it was sent with, and what came
    /// with the result.
    #[inline]
    pub(super) fn session_of_result(
        &self,
        process: &Process,
        kind: Kind,
        number: u16,
    ) -> Result<Option<Entered>, Useless> {
        let more = self.queue.front().and_then(Queued::more);
        if kind != Kind::DoneWith && more.is_none() {
            return Ok(None);
        }
        session_with(more, process, kind, number)
    }
}

/// The same for who may have something, in a function that does not depend on the task.
fn session_with(
    more: Option<&More>,
    process: &Process,
    kind: Kind,
    number: u16,
) -> Result<Option<Entered>, Useless> {
    let mut attached = match kind {
        Kind::DoneWith => process.courier.collect(number).ok_or(Useless::Mad)?,
        _ => Vec::new(),
    };
    let sent = more.map_or(&[][..], |more| &more.objects);
    attached.extend(
        sent.iter()
            .map(|object| (object.id(), Ok(Arc::clone(object)))),
    );
    Ok((!attached.is_empty()).then(|| attachments::enter(Some(Arc::new(attached)))))
}

#[cfg(all(test, not(loom)))]
#[path = "courier_tests.rs"]
mod tests;
