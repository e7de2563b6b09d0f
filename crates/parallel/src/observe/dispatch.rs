//! Events on their way to observers.
//!
//! ```text
//!  lanes ──► bounded queue ──► a thread of its own ──► observers, one after the other
//! ```
//!
//! Lanes wait for room in the queue as long as the observers get on. Once they have not for a while,
//! events are counted instead of told, so that an observer that blocks cannot harm the call.
//!
//! When nobody is left who could tell them something, the observers are dropped. Whoever was the last one waits for
//! that: what they hold, as a file or the address of a page, is free then.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{
    Receiver, RecvTimeoutError, SendTimeoutError, Sender, TrySendError, bounded,
};

use super::Observer;
use super::event::Event;
use crate::panics;

/// So many events may wait.
const QUEUE: usize = 1 << 12;

/// For so long a call waits for observers that do not get on, and so does the end of all calls.
const PATIENCE: Duration = Duration::from_secs(1);

/// All that want to know what happens in the calls of a `Parallel`.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    all: Vec<Arc<dyn Observer>>,
    /// Those of which there is one at most, by what they are.
    single: BTreeMap<&'static str, Arc<dyn Observer>>,
    /// Made when there is first something to tell.
    telling: OnceLock<Option<Arc<Telling>>>,
}

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Observer + 'static) {
        self.all.push(Arc::new(observer));
        self.telling = OnceLock::new();
    }

    /// Has one of its kind, or none any more.
    pub(crate) fn set(&mut self, kind: &'static str, observer: Option<Arc<dyn Observer>>) {
        match observer {
            Some(observer) => self.single.insert(kind, observer),
            None => self.single.remove(kind),
        };
        self.telling = OnceLock::new();
    }

    /// How to tell them; `None` if there are none.
    pub(crate) fn telling(&self) -> Option<Arc<Telling>> {
        let telling = self.telling.get_or_init(|| {
            let all: Vec<_> = self
                .all
                .iter()
                .chain(self.single.values())
                .cloned()
                .collect();
            (!all.is_empty()).then(|| Arc::new(Telling::start(all)))
        });
        telling.clone()
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.all.len() + self.single.len())
    }
}

enum Message {
    Event(Event),
    /// Answered when all events before it have been told.
    Flush(Sender<()>),
}

/// The way to the observers.
pub(crate) struct Telling {
    queue: Sender<Message>,
    thread: Option<JoinHandle<()>>,
    /// Closed when the observers have been dropped.
    over: Receiver<()>,
    /// Whether the observers have not got on for a while.
    stuck: AtomicBool,
    lost: AtomicU64,
}

impl Telling {
    fn start(observers: Vec<Arc<dyn Observer>>) -> Self {
        let (queue, messages) = bounded(QUEUE);
        let (at_end, over) = bounded::<()>(0);
        let thread = thread::Builder::new().name("parallel-observe".to_owned());
        // Without a thread the queue has no other end, and nothing is told.
        let thread = thread.spawn(move || {
            let _at_end = at_end;
            pass_on(&messages, observers);
        });
        Self {
            queue,
            thread: thread.ok(),
            over,
            stuck: AtomicBool::new(false),
            lost: AtomicU64::new(0),
        }
    }

    pub(crate) fn tell(&self, event: Event) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 && !self.send(Message::Event(Event::Lost { events: lost })) {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
        if !self.send(Message::Event(event)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all has been told so far.
    pub(crate) fn flush(&self) {
        let (done, flushed) = bounded(1);
        if self.send(Message::Flush(done)) && flushed.recv_timeout(PATIENCE).is_err() {
            self.stuck.store(true, Ordering::Relaxed);
        }
    }

    fn send(&self, message: Message) -> bool {
        if self.stuck.load(Ordering::Relaxed) {
            let sent = self.queue.try_send(message);
            if sent.is_ok() {
                self.stuck.store(false, Ordering::Relaxed);
            }
            return !matches!(
                sent,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_))
            );
        }
        match self.queue.send_timeout(message, PATIENCE) {
            Ok(()) => true,
            Err(SendTimeoutError::Timeout(_)) => {
                self.stuck.store(true, Ordering::Relaxed);
                false
            }
            Err(SendTimeoutError::Disconnected(_)) => false,
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let (nowhere, _) = bounded(0);
        drop(std::mem::replace(&mut self.queue, nowhere));
        let Some(thread) = self.thread.take() else {
            return;
        };
        // An observer may be the one that lets go of its `Parallel`.
        let by_an_observer = thread.thread().id() == thread::current().id();
        if by_an_observer || self.stuck.load(Ordering::Relaxed) {
            return;
        }
        if let Err(RecvTimeoutError::Disconnected) = self.over.recv_timeout(PATIENCE) {
            let _ = thread.join();
        }
    }
}

/// Tells the observers what comes, until nothing can come any more; then they are dropped.
fn pass_on(messages: &Receiver<Message>, observers: Vec<Arc<dyn Observer>>) {
    for message in messages {
        match message {
            Message::Event(event) => {
                for observer in &observers {
                    let _ = panics::catch(|| observer.event(&event));
                }
            }
            Message::Flush(done) => drop(done.send(())),
        }
    }
    panics::discard(observers);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::with_deadline;
    use std::sync::mpsc::channel;

    fn batch_size(tasks: usize) -> Event {
        Event::BatchSize { run: 1, tasks }
    }

    #[test]
    fn observers_that_panic_as_they_go_harm_nobody() {
        struct Burnt;
        impl Observer for Burnt {
            fn event(&self, _: &Event) {}
        }
        impl Drop for Burnt {
            fn drop(&mut self) {
                panic!("burnt");
            }
        }
        let mut observers = Observers::default();
        observers.add(Burnt);
        observers.add(Burnt);
        let telling = observers.telling().unwrap();
        drop(observers);
        // The last of all, who waits for them: two panics at a time would end the program.
        drop(telling);
    }

    #[test]
    fn an_observer_that_blocks_loses_events_and_holds_up_nobody() {
        with_deadline(|| {
            let (told, seen) = channel();
            let (open, gate) = channel::<()>();
            let gate = parking_lot::Mutex::new(gate);
            let told = parking_lot::Mutex::new(told);
            let mut observers = Observers::default();
            observers.add(move |event: &Event| {
                let _ = gate.lock().recv();
                let _ = told.lock().send(event.clone());
            });
            let telling = observers.telling().unwrap();
            for tasks in 0..QUEUE + 1000 {
                telling.tell(batch_size(tasks));
            }
            assert!(telling.lost.load(Ordering::Relaxed) >= 900);
            drop(open);
            for _ in 0..QUEUE {
                seen.recv().unwrap();
            }
            telling.tell(batch_size(7));
            let lost = seen
                .iter()
                .find(|event| matches!(event, Event::Lost { .. }));
            assert!(matches!(lost, Some(Event::Lost { events }) if events >= 900));
        });
    }
}
