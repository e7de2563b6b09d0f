//! What is drawn of a task: its block, what lies in it, and its way to a worker process and back.

use std::time::Duration;

use super::json::Object;
use super::record::{Phase, microseconds};
use super::rows::{Block, Way};
use super::writer::{At, Edge, WAYS, Writer, attempt_args, begin, end};
use crate::observe::spans::label;
use crate::observe::{Event, Stretch};

/// To wait for less is not worth drawing.
const LONG: Duration = Duration::from_micros(100);

impl Writer {
    pub(super) fn finished(&mut self, group: usize, event: &Event, now: u64) {
        let Event::TaskFinished {
            run,
            index,
            attempt,
            worker,
            started,
            run_time,
            wait_time,
            failure,
        } = event
        else {
            return;
        };
        let waited = microseconds(wait_time.as_nanos() as u64);
        let mut args = attempt_args(*index, *attempt).number("waited_us", waited);
        if let Some(failure) = failure {
            args = args.text("failure", &failure.to_string());
        }
        let name = format!("task {index}");
        if *attempt == 0 {
            let name = format!("{name} did not run");
            return self.instant(At::group(group, now), "p", &name, args);
        }
        let start = self.since_begun(*started);
        let at = self.at(group, *worker, start);
        if let Some(failed) = self.row(group, *worker).failed_before(start) {
            self.block(at, &failed);
        }
        if *wait_time >= LONG {
            let taken = started.checked_sub(*wait_time).unwrap_or(self.begun);
            let time = self.since_begun(taken);
            for (phase, time) in [(begin as Edge, time), (end, start)] {
                let phase = phase("wait", format!("{run}.{index}"));
                self.push(&At { time, ..at }.record(phase, "wait", Object::default()));
            }
        }
        let task = Block {
            category: "task",
            name,
            start,
            end: start.saturating_add(run_time.as_nanos() as u64),
            args,
            parts: Vec::new(),
        };
        for block in self.row(group, *worker).end(task) {
            self.block(at, &block);
        }
    }

    /// A span that the task opened which ends next.
    pub(super) fn span(&mut self, group: usize, event: &Event) {
        let Event::Span {
            worker,
            name,
            fields,
            started,
            run_time,
            ..
        } = event
        else {
            return;
        };
        let stretch = Stretch {
            started: *started,
            time: *run_time,
        };
        let mut args = Object::default();
        for (name, value) in fields {
            args = args.text(name, value);
        }
        let part = self.stretch("span", label(name, fields), stretch, args);
        self.row(group, *worker).add(part);
    }

    /// The way of the task that ends next: what its worker did for it is beside its block, what this process
    /// did in a row of its own.
    pub(super) fn carried(&mut self, group: usize, event: &Event) {
        let Event::Carried {
            index,
            attempt,
            worker,
            argument_encoded,
            argument_decoded,
            result_encoded,
            result_decoded,
            ..
        } = event
        else {
            return;
        };
        let args = attempt_args(*index, *attempt);
        let way = |of: &Self, what: &str, stretch: &Stretch| {
            let name = format!("{what} task {index}");
            of.stretch("way", name, *stretch, args.clone())
        };
        let decode = way(self, "decode", argument_decoded);
        let encode = way(self, "encode", result_encoded);
        let here = [
            way(self, "encode", argument_encoded),
            way(self, "decode", result_decoded),
        ];
        self.row(group, *worker).carry(Way { decode, encode });
        let at = self.at(group, WAYS + worker, 0);
        for block in here {
            self.block(at, &block);
        }
    }

    fn stretch(
        &self,
        category: &'static str,
        name: String,
        stretch: Stretch,
        args: Object,
    ) -> Block {
        let start = self.since_begun(stretch.started);
        Block {
            category,
            name,
            start,
            end: start.saturating_add(stretch.time.as_nanos() as u64),
            args,
            parts: Vec::new(),
        }
    }

    /// A block, and then what lies in it.
    pub(super) fn block(&mut self, at: At, block: &Block) {
        let (time, args) = (block.start, block.args.clone());
        let phase = Phase::Complete {
            category: block.category,
            duration: block.end - block.start,
        };
        self.push(&At { time, ..at }.record(phase, &block.name, args));
        for part in &block.parts {
            self.block(at, part);
        }
    }
}
