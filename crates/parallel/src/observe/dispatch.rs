//! Events on their way to observers.
//!
//! ```text
//!  lanes ──► bounded queue ──► a thread of its own ──► observers, one after the other
//! ```
//!
//! Lanes wait for room in the queue as long as the observers get on. Once they have not for a while,
//! events are counted instead of told, so that an observer that blocks cannot harm the call. Only the end of a
//! call whose beginning was told is kept until the queue is empty: bars and reports wait for it.
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
use parking_lot::Mutex;

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
    /// Something has been missed that is to be told yet.
    Missed,
}

/// What there was no room for in the queue.
#[derive(Default)]
struct Missed {
    events: AtomicU64,
    /// The ends of calls whose beginnings were told, so that these are no more than had room then.
    ends: Mutex<Vec<Event>>,
}

/// The way to the observers.
pub(crate) struct Telling {
    queue: Sender<Message>,
    thread: Option<JoinHandle<()>>,
    /// Closed when the observers have been dropped.
    over: Receiver<()>,
    /// Whether the observers have not got on for a while.
    stuck: AtomicBool,
    missed: Arc<Missed>,
}

impl Telling {
    fn start(observers: Vec<Arc<dyn Observer>>) -> Self {
        let (queue, messages) = bounded(QUEUE);
        let (at_end, over) = bounded::<()>(0);
        let thread = thread::Builder::new().name("parallel-observe".to_owned());
        // Without a thread the queue has no other end, and nothing is told.
        let missed = Arc::<Missed>::default();
        let thread = thread.spawn({
            let missed = Arc::clone(&missed);
            move || {
                let _at_end = at_end;
                pass_on(&messages, &missed, observers);
            }
        });
        Self {
            queue,
            thread: thread.ok(),
            over,
            stuck: AtomicBool::new(false),
            missed,
        }
    }

    /// Whether there was room for it.
    pub(crate) fn tell(&self, event: Event) -> bool {
        self.tell_missed();
        let sent = self.send(Message::Event(event));
        if !sent {
            self.missed.events.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }

    /// Tells how many have been missed, if any.
    fn tell_missed(&self) {
        let missed = &self.missed.events;
        let events = missed.swap(0, Ordering::Relaxed);
        if events > 0 && !self.send(Message::Event(Event::Lost { events })) {
            missed.fetch_add(events, Ordering::Relaxed);
        }
    }

    /// Tells the end of a call whose beginning was told, as soon as there is room.
    pub(crate) fn tell_end(&self, event: Event) {
        self.tell_missed();
        if !self.send(Message::Event(event.clone())) {
            self.missed.ends.lock().push(event);
            // If there is no room for this either, what is before it has not been told yet.
            let _ = self.queue.try_send(Message::Missed);
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
fn pass_on(messages: &Receiver<Message>, missed: &Missed, observers: Vec<Arc<dyn Observer>>) {
    let tell = |event: &Event| {
        for observer in &observers {
            let _ = panics::catch(|| observer.event(event));
        }
    };
    for message in messages {
        let done = match message {
            Message::Event(event) => {
                tell(&event);
                None
            }
            Message::Flush(done) => Some(done),
            Message::Missed => None,
        };
        if messages.is_empty() {
            let ends = std::mem::take(&mut *missed.ends.lock());
            if !ends.is_empty()
                && let events @ 1.. = missed.events.swap(0, Ordering::Relaxed)
            {
                tell(&Event::Lost { events });
            }
            ends.iter().for_each(tell);
        }
        if let Some(done) = done {
            let _ = done.send(());
        }
    }
    panics::discard(observers);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::with_deadline;
    use crate::observe::Totals;
    use std::sync::mpsc;

    fn batch_size(tasks: usize) -> Event {
        Event::BatchSize { run: 1, tasks }
    }

    /// The way to an observer that blocks until the last of these is dropped, and what it has been told.
    fn blocked() -> (Arc<Telling>, mpsc::Receiver<Event>, mpsc::Sender<()>) {
        let (told, seen) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let (gate, told) = (Mutex::new(gate), Mutex::new(told));
        let mut observers = Observers::default();
        observers.add(move |event: &Event| {
            let _ = gate.lock().recv();
            let _ = told.lock().send(event.clone());
        });
        (observers.telling().unwrap(), seen, open)
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
            let (telling, seen, open) = blocked();
            for tasks in 0..QUEUE + 1000 {
                telling.tell(batch_size(tasks));
            }
            assert!(telling.missed.events.load(Ordering::Relaxed) >= 900);
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

    #[test]
    fn an_end_is_told_though_there_was_no_room_for_it() {
        with_deadline(|| {
            let (telling, seen, open) = blocked();
            while telling.tell(batch_size(1)) {}
            let totals = Totals::default();
            telling.tell_end(Event::RunFinished { run: 1, totals });
            drop(open);
            let mut last = seen
                .iter()
                .skip_while(|event| matches!(event, Event::BatchSize { .. }));
            assert!(matches!(last.next(), Some(Event::Lost { events: 1 })));
            assert!(matches!(last.next(), Some(Event::RunFinished { .. })));
            // As are those that come when there is room again, after what was missed.
            telling.missed.events.store(2, Ordering::Relaxed);
            telling.tell_end(Event::RunFinished { run: 2, totals });
            assert!(matches!(last.next(), Some(Event::Lost { events: 2 })));
            assert!(matches!(
                last.next(),
                Some(Event::RunFinished { run: 2, .. })
            ));
        });
    }
}
