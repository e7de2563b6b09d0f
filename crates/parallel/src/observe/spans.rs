//! The spans that tasks open with `tracing`: noticed where they are opened, told when they are closed.
//!
//! ```text
//!  task ──► span! ──► the program's subscriber ──► SpanLayer ──► who watches the call: Event::Span
//!                                                           └──► in a worker: its parent
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event as TracingEvent, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::event::Event;
use crate::current;

/// Under which this library speaks to `tracing`.
pub(crate) const TARGET: &str = "parallel";

/// Which task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskPlace {
    pub(crate) index: usize,
    pub(crate) attempt: u32,
    pub(crate) worker: usize,
}

/// What a task told `tracing`.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) name: &'static str,
    pub(crate) fields: Fields,
    /// How many spans of the task it lies in.
    pub(crate) depth: usize,
    pub(crate) started: Instant,
    /// How long it was open, if it is a span and not an event.
    pub(crate) open: Option<Duration>,
}

/// Names and values.
pub(crate) type Fields = Vec<(String, String)>;

/// What a span is called where it is shown: its name, and the values of its fields.
pub(crate) fn label(name: &str, fields: &[(String, String)]) -> String {
    let values = fields.iter().map(|(_, value)| value.as_str());
    let words: Vec<_> = std::iter::once(name).chain(values).collect();
    let label = words.join(" ");
    match label.char_indices().nth(LONGEST_LABEL) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label,
    }
}

/// Where a span is shown there is no room for more characters.
const LONGEST_LABEL: usize = 100;

impl Record {
    pub(crate) fn into_event(self, run: u64, task: TaskPlace) -> Event {
        Event::Span {
            run,
            index: task.index,
            attempt: task.attempt,
            worker: task.worker,
            name: self.name.to_owned(),
            fields: self.fields,
            depth: self.depth,
            started: self.started,
            run_time: self.open.unwrap_or_default(),
        }
    }
}

/// Who wants to know what the tasks of a call tell.
pub(crate) trait SpanSink: Send + Sync {
    /// A span has been closed.
    fn closed(&self, task: TaskPlace, span: Record);

    /// Something has happened; not told to who does not want to know.
    fn happened(&self, task: TaskPlace, event: &dyn Fn() -> Record) {
        let _ = (task, event);
    }
}

/// A layer of a `tracing` subscriber by which observers are told of the spans that tasks open, as
/// [`Event::Span`]: [`Report`](crate::Report) and [`Trace`](crate::Trace) draw them as blocks within
/// that of their task.
///
/// It looks at spans only while somebody observes the call. Those that a task opens on other threads
/// count as well if they have one of the task's spans around them. What worker processes do comes by itself, once
#[cfg_attr(
    target_os = "linux",
    doc = "[asked for](crate::Processes::tracing), without this layer."
)]
#[cfg_attr(not(target_os = "linux"), doc = "asked for, without this layer.")]
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use parallel::{Event, Parallel, SpanLayer};
/// use tracing_subscriber::prelude::*;
///
/// fn prepare(dish: &str) -> usize {
///     let _washing = tracing::info_span!("wash", dish).entered();
///     dish.len()
/// }
///
/// tracing_subscriber::registry().with(SpanLayer::new()).init();
/// let spans = Arc::new(Mutex::new(Vec::new()));
/// let seen = Arc::clone(&spans);
/// let parallel = Parallel::new(1).observer(move |event: &Event| {
///     if let Event::Span { index, name, fields, .. } = event {
///         seen.lock().unwrap().push(format!("task {index}: {name} {}", fields[0].1));
///     }
/// });
/// parallel.map(prepare, ["Salad", "Soup"])?;
/// assert_eq!(*spans.lock().unwrap(), ["task 0: wash Salad", "task 1: wash Soup"]);
/// # Ok::<(), parallel::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanLayer(());

impl SpanLayer {
    /// It has nothing to set. What shall not be told can be filtered, as for any other layer.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

/// A span of a task that is open, as the subscriber keeps it.
struct Open {
    task: TaskPlace,
    sink: Arc<dyn SpanSink>,
    depth: usize,
    started: Instant,
    fields: Fields,
}

/// The task in which something happens within this span, who wants to know of it, and in how many of the
/// task's spans.
fn place<'a, S>(
    parent: Option<&tracing_subscriber::registry::SpanRef<'a, S>>,
) -> Option<(TaskPlace, Arc<dyn SpanSink>, usize)>
where
    S: Subscriber + LookupSpan<'a>,
{
    let around = parent.and_then(|parent| {
        let extensions = parent.extensions();
        let open = extensions.get::<Open>()?;
        Some((open.task, Arc::clone(&open.sink), open.depth + 1))
    });
    match (current::watched_task(), around) {
        // The span around it may be that of a task in which this one's call was made, and be its worker's and have
        // its index.
        (Some((task, sink)), Some((other, theirs, _)))
            if task != other || !Arc::ptr_eq(&sink, &theirs) =>
        {
            Some((task, sink, 0))
        }
        (_, Some(around)) => Some(around),
        (Some((task, sink)), None) => Some((task, sink, 0)),
        (None, None) => None,
    }
}

impl<S> Layer<S> for SpanLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() == TARGET {
            return;
        }
        let Some(span) = context.span(id) else { return };
        if let Some((task, sink, depth)) = place(span.parent().as_ref()) {
            let mut fields = Fields::new();
            attributes.record(&mut AsText(&mut fields));
            span.extensions_mut().insert(Open {
                task,
                sink,
                depth,
                started: Instant::now(),
                fields,
            });
        }
    }

    fn on_record(&self, id: &Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(&mut AsText(&mut open.fields));
        }
    }

    fn on_event(&self, event: &TracingEvent<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == TARGET {
            return;
        }
        if let Some((task, sink, depth)) = place(context.event_span(event).as_ref()) {
            sink.happened(task, &|| {
                let mut fields = Fields::new();
                event.record(&mut AsText(&mut fields));
                Record {
                    level: *metadata.level(),
                    target: metadata.target(),
                    name: metadata.name(),
                    fields,
                    depth,
                    started: Instant::now(),
                    open: None,
                }
            });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        let open = span.extensions_mut().remove::<Open>();
        if let Some(open) = open {
            let metadata = span.metadata();
            let record = Record {
                level: *metadata.level(),
                target: metadata.target(),
                name: metadata.name(),
                fields: open.fields,
                depth: open.depth,
                started: open.started,
                open: Some(open.started.elapsed()),
            };
            open.sink.closed(open.task, record);
        }
    }
}

/// Writes fields as text. A value that is told again replaces the first.
struct AsText<'f>(&'f mut Fields);

impl AsText<'_> {
    fn set(&mut self, field: &Field, value: String) {
        match self.0.iter_mut().find(|(name, _)| name == field.name()) {
            Some((_, before)) => *before = value,
            None => self.0.push((field.name().to_owned(), value)),
        }
    }
}

impl Visit for AsText<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.to_owned());
    }
}
