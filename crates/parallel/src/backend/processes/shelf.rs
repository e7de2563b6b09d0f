//! The worker's side of objects on their way: what the parent has given stands here until the parent says
//! that it needs it no more. So an object is mapped once, however many tasks are given it.
//!
//! ```text
//!   parent: Give id ──► socket ──► the lifeline's thread: maps it ──► shelf ◄── tasks: what is id?
//!   parent: Forget id ─► socket ──► the lifeline's thread: unmaps it
//! ```

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, sockopt};

use super::packet::{self, MOST, Packet};
use crate::shared::Object;
use crate::wire::attachments::{Id, Resolve, not_sent_along};

/// Room for some packets that the parent has not taken yet. What is on its way is nobody's, and there may be
/// only so much of it.
const ON_THEIR_WAY: usize = 4096;

pub(super) struct Shelf {
    socket: OwnedFd,
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Default)]
struct State {
    objects: HashMap<Id, Result<Arc<Object>, String>>,
    /// How many packets have come.
    packets: u64,
}

impl Shelf {
    /// The worker's end of the socket.
    pub(super) fn new(socket: OwnedFd) -> Arc<Self> {
        // It is as good without.
        let _ = sockopt::set_socket_send_buffer_size(&socket, ON_THEIR_WAY);
        Arc::new(Self {
            socket,
            state: Mutex::default(),
            came: Condvar::new(),
        })
    }

    /// Takes in what the parent sends, until it is gone.
    pub(super) fn listen(&self) {
        while let Ok(Some(packet)) = packet::receive(&self.socket, RecvFlags::empty()) {
            match packet {
                Packet::Give { objects, .. } => {
                    let objects = objects.into_iter().map(|mut given| {
                        let fd = given.descriptor();
                        let object = fd.and_then(|fd| Object::from_parent(given.id, fd, given.len));
                        (given.id, object)
                    });
                    let objects: Vec<_> = objects.collect();
                    let mut state = self.state.lock();
                    state.objects.extend(objects);
                    state.packets += 1;
                    self.came.notify_all();
                }
                Packet::Forget(ids) => {
                    let mut state = self.state.lock();
                    let forgotten = ids.iter().filter_map(|id| state.objects.remove(id));
                    let forgotten: Vec<_> = forgotten.collect();
                    drop(state);
                    // To unmap a large one takes its time.
                    drop(forgotten);
                }
            }
        }
    }

    /// Waits until so many packets have come, which have all been sent.
    pub(super) fn wait_for(&self, packets: u64) {
        let mut state = self.state.lock();
        // If the parent goes meanwhile, this process ends.
        self.came
            .wait_while(&mut state, |state| state.packets < packets);
    }

    /// Sends objects that go with the answer of this number. If the parent has not taken what was sent before,
    /// this waits.
    pub(super) fn give(&self, answer: u16, objects: &[Arc<Object>]) -> Result<(), Errno> {
        objects.chunks(MOST).try_for_each(|objects| {
            packet::give(&self.socket, answer.into(), objects, SendFlags::empty())
        })
    }
}

impl Resolve for Shelf {
    fn resolve(&self, id: Id) -> Result<Arc<Object>, String> {
        let object = self.state.lock().objects.get(&id).cloned();
        object.unwrap_or_else(|| Err(not_sent_along()))
    }
}
