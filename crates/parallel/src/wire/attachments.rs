//! What an encoded value takes along beside its bytes: the memory of [`Shared`](crate::Shared) arrays.
//!
//! ```text
//!   encode in a session:  Shared ──► (id, range) in the bytes, its object in the session ──take()──► sent along
//!   decode in a session:  (id, range) ──► the session's resolver ──► the object, mapped here ──► Shared
//! ```
//!
//! Whoever carries tasks opens a session around what it encodes or decodes, and carries the objects however
//! it likes. Without a session an array is written with its elements, so nothing depends on one. A task's
//! own function runs outside of the session: what it encodes is nobody's argument and nobody's result.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::shared::Object;

/// Names an object, wherever it is: made at random by who made the object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Id([u8; 16]);

impl Id {
    pub(crate) const BYTES: usize = 16;

    #[cfg(target_os = "linux")]
    pub(crate) fn random() -> std::io::Result<Self> {
        let mut bytes = [0; Self::BYTES];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        Ok(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Knows objects by their ids.
pub(crate) trait Resolve: Send + Sync {
    /// The object, or what to tell about why there is none.
    fn resolve(&self, id: Id) -> Result<Arc<Object>, String>;
}

/// An object that came with a message, or why it could not.
pub(crate) type Arrival = (Id, Result<Arc<Object>, String>);

/// What came with a message.
pub(crate) type Attached = Vec<Arrival>;

impl Resolve for Attached {
    fn resolve(&self, id: Id) -> Result<Arc<Object>, String> {
        let known = self.iter().find(|(known, _)| *known == id);
        known.map_or_else(|| Err(not_sent_along()), |(_, object)| object.clone())
    }
}

/// What is told about an id that stands for nothing.
pub(crate) fn not_sent_along() -> String {
    "it refers to a `Shared` array that was not sent along: do not keep its bytes to send them again".to_owned()
}

#[derive(Default)]
struct Session {
    known: Option<Arc<dyn Resolve>>,
    /// Whether nothing can go along with what is encoded.
    far: Cell<bool>,
    gathered: RefCell<Vec<Arc<Object>>>,
    /// Of the objects that this task's argument brought: the other side has them.
    came: RefCell<Vec<Id>>,
    /// Why an array was refused last: the format forgets it.
    refused: Cell<Option<String>>,
}

/// What is asked for each task: beside the session, since it costs less to ask than that.
#[derive(Clone, Copy, Default)]
struct State {
    /// Whether a user's function runs.
    outside: bool,
    /// Whether an object was attached or resolved since anybody asked.
    any: bool,
}

thread_local! {
    static SESSION: RefCell<Option<Box<Session>>> = const { RefCell::new(None) };
    static STATE: Cell<State> = const { Cell::new(State { outside: false, any: false }) };
}

/// A session on this thread, until this is dropped; then the one before it goes on.
pub(crate) struct Entered {
    before: Option<Box<Session>>,
    state_before: State,
    _of_this_thread: PhantomData<*const ()>,
}

/// Begins a session. Values that are decoded in it may refer to what `known` knows.
pub(crate) fn enter(known: Option<Arc<dyn Resolve>>) -> Entered {
    let session = Session {
        known,
        ..Session::default()
    };
    Entered {
        before: SESSION.replace(Some(Box::new(session))),
        state_before: STATE.take(),
        _of_this_thread: PhantomData,
    }
}

/// Does something with the session in which this is, if it is in one.
fn with_session<R>(f: impl FnOnce(&Session) -> R) -> Option<R> {
    if STATE.get().outside {
        return None;
    }
    SESSION.with_borrow(|session| session.as_deref().map(f))
}

fn note_any() {
    let state = STATE.get();
    STATE.set(State { any: true, ..state });
}

impl Entered {
    /// Says whether what is encoded goes to another machine: then it can refer only to what came from there with
    /// the argument.
    pub(crate) fn goes_far(&self, far: bool) {
        SESSION.with_borrow(|session| {
            if let Some(session) = session {
                session.far.set(far);
            }
        });
    }

    /// The objects that the values refer to which were encoded since this was asked last, each once, but
    /// for those to which the value refers that was decoded.
    #[inline]
    pub(crate) fn take(&self) -> Vec<Arc<Object>> {
        let state = STATE.get();
        if !state.any {
            return Vec::new();
        }
        STATE.set(State {
            any: false,
            ..state
        });
        let taken = with_session(|session| {
            session.came.borrow_mut().clear();
            session.gathered.take()
        });
        taken.unwrap_or_default()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // What ends is dropped when nothing is borrowed any more: an object tells others of its end.
        let _ended = SESSION.replace(self.before.take());
        STATE.set(self.state_before);
    }
}

/// Calls a user's function outside of the session.
#[inline]
pub(crate) fn outside<R>(call: impl FnOnce() -> R) -> R {
    struct Back(State);
    impl Drop for Back {
        #[inline]
        fn drop(&mut self) {
            STATE.with(|it| it.set(self.0));
        }
    }
    let state = STATE.get();
    let _back = Back(state);
    let outside = State {
        outside: true,
        ..state
    };
    STATE.with(|it| it.set(outside));
    call()
}

/// Has an object go along with the value that is being encoded. `Ok(false)` if it cannot.
///
/// A file goes to who works for whoever mapped it, and may come back, but nobody has to trust that a
/// file which somebody else sends does not change.
pub(crate) fn attach(object: &Arc<Object>) -> Result<bool, String> {
    let attached = with_session(|session| {
        if session.came.borrow().contains(&object.id()) {
            return Ok(true);
        }
        if session.far.get() {
            return Ok(false);
        }
        if object.is_file() && session.known.is_some() {
            return Err(
                "a mapped file does not go with a result, unless it came with the argument: return its \
                 path, and map it where it is needed, or read it with `Shared::read_file`"
                    .to_owned(),
            );
        }
        let mut gathered = session.gathered.borrow_mut();
        // To look at the last ones will do: an object that is told twice does no harm.
        let mut recent = gathered.iter().rev().take(64);
        if !recent.any(|known| Arc::ptr_eq(known, object)) {
            gathered.push(Arc::clone(object));
            note_any();
        }
        Ok(true)
    });
    attached.unwrap_or(Ok(false))
}

/// The object to which the value refers that is being decoded.
pub(crate) fn resolve(id: Id) -> Result<Arc<Object>, String> {
    let resolved = with_session(|session| {
        let known = session.known.as_ref().ok_or_else(not_sent_along)?;
        let object = known.resolve(id)?;
        let mut came = session.came.borrow_mut();
        if !came.contains(&id) {
            came.push(id);
            note_any();
        }
        Ok(object)
    });
    resolved.unwrap_or_else(|| Err(not_sent_along()))
}

/// What the values may refer to that are decoded in this session.
pub(crate) fn known() -> Option<Arc<dyn Resolve>> {
    with_session(|session| session.known.clone())?
}

/// Notes why an array is refused.
pub(crate) fn refuse(why: &str) {
    with_session(|session| session.refused.set(Some(why.to_owned())));
}

/// Why an array was refused, since this was asked last.
pub(crate) fn refusal() -> Option<String> {
    with_session(|session| session.refused.take())?
}
