//! What tasks tell `tracing` in a worker, on its way to the parent.
//!
//! ```text
//!  task ──► SpanLayer ──► Gathered ──► a frame before the task's answer ──► observers
//!                                                                      └──► the parent's `tracing`
//! ```
//!
//! A task that tells more than a frame shall hold loses the rest of it, counted. One that ends its worker loses
//! all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, event, span};
use tracing_subscriber::layer::SubscriberExt;

use super::Processes;
use super::memory::clock;
use crate::observe::Event;
use crate::observe::spans::{Fields, Record, SpanLayer, SpanSink, TARGET, TaskPlace};
use crate::wire;

/// What a task tells takes no more bytes than this.
const MOST: usize = 1 << 16;

/// A record takes no more bytes beside its texts, nor does what stands beside the records.
const OVERHEAD: usize = 64;

/// Each level as it travels.
const LEVELS: [Level; 5] = [
    Level::ERROR,
    Level::WARN,
    Level::INFO,
    Level::DEBUG,
    Level::TRACE,
];

impl Processes {
    /// Has what tasks tell [`tracing`] in their worker, spans and events up to this level, come back.
    ///
    /// It is told anew in this process once a task has ended: under the target `parallel`, within the span
    /// `task`, with the fields `task`, its index, `name`, `origin`, which is what the target was, and
    /// `fields`, as text. A span begins and ends there within a moment; observers are told how long it was
    /// open, as [`Event::Span`]. Of each task there is room for 64 KiB; what is more is counted. What a task
    /// told before it ended its worker is lost with it.
    ///
    /// For that each worker has a subscriber of its own. If an initializer sets another one, give that a
    /// [`SpanLayer`].
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use parallel::{Event, Parallel, Processes};
    ///
    /// fn cook(dish: String) -> usize {
    ///     let _span = tracing::info_span!("cook", dish).entered();
    ///     dish.len()
    /// }
    ///
    /// let dishes = Arc::new(Mutex::new(Vec::new()));
    /// let seen = Arc::clone(&dishes);
    /// let parallel = Parallel::new(2)
    ///     .backend(Processes::new().tracing(tracing::Level::INFO))
    ///     .observer(move |event: &Event| {
    ///         if let Event::Span { fields, .. } = event {
    ///             seen.lock().unwrap().push(fields[0].1.clone());
    ///         }
    ///     });
    /// parallel.map(cook, ["Pizza".to_owned()])?;
    /// assert_eq!(*dishes.lock().unwrap(), ["Pizza"]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    ///
    /// [`tracing`]: https://docs.rs/tracing
    #[must_use]
    pub fn tracing(mut self, most: impl Into<LevelFilter>) -> Self {
        self.setup.tracing = most.into().into_level();
        self
    }
}

/// The number of a level, from 1 on.
pub(super) fn number_of(level: Option<Level>) -> u64 {
    let place = LEVELS.iter().position(|one| Some(*one) == level);
    place.map_or(0, |place| place as u64 + 1)
}

/// The level of a number, if it is one.
pub(super) fn level_of(number: u64) -> Option<Level> {
    let place = usize::try_from(number).ok()?.checked_sub(1)?;
    LEVELS.get(place).copied()
}

/// What a task told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    records: Vec<Sent>,
    left_out: u64,
}

/// A record as it travels. Times are in nanoseconds; when it began is by the clock that both sides see.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    level: u8,
    target: String,
    name: String,
    fields: Fields,
    depth: u32,
    started: u64,
    open: Option<u64>,
}

impl Sent {
    fn new(record: Record) -> Self {
        let started = clock().saturating_sub(record.started.elapsed());
        Self {
            level: number_of(Some(record.level)) as u8,
            target: record.target.to_owned(),
            name: record.name.to_owned(),
            fields: record.fields,
            depth: u32::try_from(record.depth).unwrap_or(u32::MAX),
            started: nanos(started),
            open: record.open.map(nanos),
        }
    }

    /// No less than it takes.
    fn size(&self) -> usize {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, value)| name.len() + value.len() + OVERHEAD);
        self.target.len() + self.name.len() + OVERHEAD + fields.sum::<usize>()
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Where a worker gathers what its task tells.
#[derive(Default)]
pub(super) struct Gathered(Mutex<State>);

#[derive(Default)]
struct State {
    task: Option<TaskPlace>,
    told: Told,
    size: usize,
}

impl Gathered {
    /// Has all of this process told here, unless its initializer has other plans.
    pub(super) fn listen(most: Level) {
        let subscriber = tracing_subscriber::registry()
            .with(LevelFilter::from_level(most))
            .with(SpanLayer::new());
        let _ = tracing::subscriber::set_global_default(subscriber);
    }

    /// This task runs from now on.
    pub(super) fn begin(&self, task: TaskPlace) {
        let mut state = self.0.lock();
        *state = State {
            task: Some(task),
            ..State::default()
        };
    }

    /// What it told, encoded, if anything; it tells no more.
    pub(super) fn end(&self) -> Option<Vec<u8>> {
        let State { told, .. } = std::mem::take(&mut *self.0.lock());
        if told.records.is_empty() && told.left_out == 0 {
            return None;
        }
        let mut bytes = Vec::new();
        wire::encode(&told, &mut bytes).expect("it is made of texts and numbers");
        Some(bytes)
    }

    fn add(&self, task: TaskPlace, record: Record) {
        let sent = Sent::new(record);
        let mut state = self.0.lock();
        // A thread that a task started may go on when it has ended.
        if state.task != Some(task) {
            return;
        }
        let size = state.size + sent.size();
        if size > MOST {
            state.told.left_out += 1;
        } else {
            state.size = size;
            state.told.records.push(sent);
        }
    }
}

impl SpanSink for Gathered {
    fn closed(&self, task: TaskPlace, span: Record) {
        self.add(task, span);
    }

    fn happened(&self, task: TaskPlace, event: &dyn Fn() -> Record) {
        self.add(task, event());
    }
}

impl Told {
    /// What a worker sent; `None` if it is none of what it sends.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MOST + OVERHEAD {
            return None;
        }
        let told: Self = wire::decode(bytes).ok()?;
        let all_known = |sent: &Sent| level_of(u64::from(sent.level)).is_some();
        told.records.iter().all(all_known).then_some(told)
    }

    /// The spans, each as an event for observers.
    pub(super) fn spans(&self, run: u64, task: TaskPlace) -> impl Iterator<Item = Event> {
        let (now, now_there) = (Instant::now(), nanos(clock()));
        self.records.iter().filter_map(move |sent| {
            let ago = Duration::from_nanos(now_there.saturating_sub(sent.started));
            Some(Event::Span {
                run,
                index: task.index,
                attempt: task.attempt,
                worker: task.worker,
                name: sent.name.clone(),
                fields: sent.fields.clone(),
                depth: sent.depth as usize,
                started: now.checked_sub(ago).unwrap_or(now),
                run_time: Duration::from_nanos(sent.open?),
            })
        })
    }

    /// Tells it anew here, in the order in which it began, each span around what lay in it.
    pub(super) fn tell_anew(mut self, index: usize) {
        self.records.sort_by_key(|sent| sent.started);
        let mut around: Vec<Span> = Vec::new();
        for sent in self.records {
            // Spans are numbered from the outermost; one that was left out has its place taken.
            around.truncate(sent.depth as usize);
            let parent = around.last().cloned().unwrap_or_else(Span::current);
            if let Some(span) = parent.in_scope(|| sent.tell_anew(index)) {
                around.push(span);
            }
        }
        if self.left_out > 0 {
            let left_out = self.left_out;
            tracing::debug!(target: TARGET, task = index, left_out, "the task told more than is passed on");
        }
    }
}

impl Sent {
    /// Gives the span that it is; `None` for an event.
    fn tell_anew(&self, task: usize) -> Option<Span> {
        let (name, origin) = (self.name.as_str(), self.target.as_str());
        let message = self.fields.iter().find(|(name, _)| name == "message");
        let message = message.map_or("", |(_, text)| text.as_str());
        let fields = self.fields.iter().filter(|(name, _)| name != "message");
        let fields: Vec<_> = fields
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let fields = fields.join(" ");
        // Each level has a place in the code of its own: `tracing` asks once for each who wants it.
        macro_rules! tell {
            ($level:expr) => {
                match self.open {
                    Some(_) => Some(span!(target: TARGET, $level, "span", task, name, origin, fields)),
                    None => {
                        event!(target: TARGET, $level, task, origin, fields, "{message}");
                        None
                    }
                }
            };
        }
        match self.level {
            1 => tell!(Level::ERROR),
            2 => tell!(Level::WARN),
            3 => tell!(Level::INFO),
            4 => tell!(Level::DEBUG),
            _ => tell!(Level::TRACE),
        }
    }
}

/// Where the tasks of a worker tell, if they shall.
pub(super) fn gathered(most: Option<Level>) -> Option<Arc<Gathered>> {
    most.map(|_| Arc::default())
}

/// For any bytes it is said whether they are what a worker sends, and what they say can be told.
#[cfg(all(any(test, fuzzing), not(loom)))]
pub(crate) fn hostile_told(data: &[u8]) {
    let task = TaskPlace {
        index: 0,
        attempt: 1,
        worker: 0,
    };
    if let Some(told) = Told::decode(data) {
        for span in told.spans(1, task) {
            assert_eq!(span.run(), Some(1));
        }
        told.tell_anew(0);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const TASK: TaskPlace = TaskPlace {
        index: 3,
        attempt: 1,
        worker: 0,
    };

    fn record(value: &str) -> Record {
        Record {
            level: Level::INFO,
            target: "kitchen",
            name: "cook",
            fields: vec![("dish".to_owned(), value.to_owned())],
            depth: 0,
            started: Instant::now(),
            open: Some(Duration::from_millis(1)),
        }
    }

    #[test]
    fn what_fits_arrives_and_the_rest_is_counted() {
        let gathered = Gathered::default();
        gathered.begin(TASK);
        for _ in 0..10_000 {
            gathered.closed(TASK, record("Pizza"));
        }
        gathered.closed(TASK, record(&"x".repeat(MOST)));
        let told = Told::decode(&gathered.end().unwrap()).unwrap();
        let arrived = told.spans(1, TASK).count();
        assert!(arrived > 300, "{arrived}");
        assert_eq!(told.left_out, 10_001 - arrived as u64);
        assert!(gathered.end().is_none());
    }

    #[test]
    fn what_comes_late_belongs_to_no_other_task() {
        let gathered = Gathered::default();
        gathered.begin(TaskPlace { index: 4, ..TASK });
        gathered.closed(TASK, record("Pizza"));
        assert!(gathered.end().is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        let gathered = Gathered::default();
        gathered.begin(TASK);
        gathered.closed(TASK, record("Pizza"));
        let bytes = gathered.end().unwrap();
        assert!(Told::decode(&bytes).is_some());
        assert!(Told::decode(&bytes[1..]).is_none());
        assert!(Told::decode(&vec![0; MOST + OVERHEAD + 1]).is_none());
        let mut unknown_level = bytes;
        assert_eq!(unknown_level[1], 3, "behind the number of records");
        unknown_level[1] = 9;
        assert!(Told::decode(&unknown_level).is_none());
    }
}
