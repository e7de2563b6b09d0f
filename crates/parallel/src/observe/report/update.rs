//! What the page is told: all that is new since the last time, as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::call::{Call, Counts, FailureNote, Incident, Line, Running};
use super::packed::ROW;

/// How much of a call has been told.
#[derive(Default)]
pub(super) struct Cursor {
    run: Option<u64>,
    tasks: usize,
    labels: usize,
    parts: usize,
    part_labels: usize,
    workers: Vec<bool>,
    failures: usize,
    incidents: usize,
    batches: usize,
    lines: usize,
}

/// Made under the lock, which takes little; made JSON without it.
#[derive(Serialize)]
pub(super) struct Update {
    run: u64,
    title: String,
    live: bool,
    expected: Option<usize>,
    n_jobs: usize,
    /// In seconds since the beginning.
    now: f64,
    ended: bool,
    counts: Counts,
    /// Base64, as it is kept.
    #[serde(skip)]
    tasks: String,
    #[serde(serialize_with = "base64")]
    labelled: Vec<u32>,
    labels: Vec<String>,
    #[serde(skip)]
    parts: String,
    part_labels: Vec<String>,
    workers: Vec<(usize, String)>,
    running: Vec<(usize, Running)>,
    failures: Vec<FailureNote>,
    failures_in_all: usize,
    incidents: Vec<Incident>,
    batches: Vec<(f64, usize)>,
    lines: Vec<Line>,
    lines_in_all: usize,
    /// Whether there is more to tell at once.
    #[serde(skip)]
    pub(super) more: bool,
}

impl Update {
    /// What is new in the call, a chunk of tasks at most.
    pub(super) fn of(call: &Call, cursor: &mut Cursor, title: &str, live: bool) -> Self {
        if cursor.run != Some(call.run) {
            *cursor = Cursor {
                run: Some(call.run),
                ..Cursor::default()
            };
        }
        let from = cursor.tasks;
        let tasks = call.tasks.since(from);
        cursor.tasks += tasks.len() / ROW;
        let parts = call.parts.since(cursor.parts);
        cursor.parts += parts.len() / ROW;
        let more = cursor.tasks < call.tasks.drawn || cursor.parts < call.parts.drawn;
        let labelled = call.labelled.get(from..cursor.tasks).unwrap_or_default();
        let mut workers = Vec::new();
        cursor.workers.resize(call.workers.len(), false);
        for (worker, name) in call.workers.iter().enumerate() {
            if let (Some(name), false) = (name, cursor.workers[worker]) {
                cursor.workers[worker] = true;
                workers.push((worker, name.clone()));
            }
        }
        let update = Self {
            run: call.run,
            title: title.to_owned(),
            live,
            expected: call.expected,
            n_jobs: call.n_jobs,
            now: match call.ended {
                Some(totals) => totals.wall.as_secs_f64(),
                None => call.now(),
            },
            // The page takes it as the last word.
            ended: call.ended.is_some() && !more,
            counts: call.counts,
            tasks: tasks.to_owned(),
            labelled: labelled.to_vec(),
            labels: call.labels.texts[cursor.labels..].to_vec(),
            parts: parts.to_owned(),
            part_labels: call.part_labels.texts[cursor.part_labels..].to_vec(),
            workers,
            running: call
                .running
                .iter()
                .map(|(worker, running)| (*worker, running.clone()))
                .collect(),
            failures: call.failures.since(cursor.failures),
            failures_in_all: call.failures.all,
            incidents: call.incidents.since(cursor.incidents),
            batches: call.batches.since(cursor.batches),
            lines: call.lines.since(cursor.lines),
            lines_in_all: call.lines.all,
            more,
        };
        cursor.labels = call.labels.texts.len();
        cursor.part_labels = call.part_labels.texts.len();
        cursor.failures = call.failures.all;
        cursor.incidents = call.incidents.all;
        cursor.batches = call.batches.all;
        cursor.lines = call.lines.all;
        update
    }

    /// One line, in which nothing can end the element of the page that it is in.
    pub(super) fn to_json(&self) -> String {
        let json = json(self);
        let mut json = json.replace('<', "\\u003c");
        // By far the most of it, with nothing in it to be escaped.
        json.pop();
        for (name, rows) in [("tasks", &self.tasks), ("parts", &self.parts)] {
            json += &format!(",\"{name}\":\"");
            json += rows;
            json.push('"');
        }
        json.push('}');
        json
    }
}

/// Anything as JSON. `serde_json` would do it in a line, but lets numbers be compared with its values, and in
/// each program that is linked with it the compiler then finds some types no longer by itself.
fn json(value: &impl Serialize) -> String {
    let mut bytes = vec![0; 1 << 12];
    loop {
        match serde_json_core::to_slice(value, &mut bytes) {
            Ok(len) => {
                bytes.truncate(len);
                return String::from_utf8(bytes).unwrap_or_default();
            }
            // The only thing that can go wrong.
            Err(_) if bytes.len() < 1 << 30 => bytes.resize(bytes.len() * 4, 0),
            Err(_) => return String::new(),
        }
    }
}

fn base64<S: Serializer>(numbers: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    serializer.serialize_str(&STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::call::Ran;
    use super::super::packed::CHUNK;
    use super::*;
    use std::time::Duration;

    fn finish(call: &mut Call, index: usize, failure: Option<&str>) {
        let ran = Ran {
            index,
            attempt: 1,
            worker: index % 2,
            started: call.origin,
            run_time: Duration::from_micros(5),
            wait_time: Duration::ZERO,
        };
        call.finish(&ran, failure.map(str::to_owned), Some("same".to_owned()));
    }

    #[test]
    fn each_task_is_told_once_whenever_somebody_asks() {
        let mut call = Call::new(7, None, 2);
        let mut cursor = Cursor::default();
        let mut told = 0;
        for index in 0..2 * CHUNK + 10 {
            finish(&mut call, index, None);
            if index % 1000 == 0 {
                let update = Update::of(&call, &mut cursor, "", true);
                assert_eq!(update.labelled.len() * ROW, update.tasks.len());
                told += update.tasks.len() / ROW;
            }
        }
        loop {
            let update = Update::of(&call, &mut cursor, "", true);
            told += update.tasks.len() / ROW;
            if !update.more {
                break;
            }
        }
        assert_eq!(told, 2 * CHUNK + 10);
        assert_eq!(call.labels.texts, ["same"]);
        let mut from_the_beginning = Cursor::default();
        let first = Update::of(&call, &mut from_the_beginning, "", true);
        assert!(first.more && first.tasks.len() == CHUNK * ROW);
    }

    #[test]
    fn nothing_from_a_task_can_end_a_script() {
        let mut call = Call::new(7, None, 2);
        finish(&mut call, 0, Some("</script><script>alert(1)//\n<!--"));
        let json = Update::of(&call, &mut Cursor::default(), "<b>", false).to_json();
        assert!(!json.contains('<') && !json.contains('\n'), "{json}");
        assert!(json.contains(r"\u003c/script>"), "{json}");
    }
}
