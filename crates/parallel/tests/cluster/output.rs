//! What tasks print there.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use parallel::{Event, Output, Parallel};

use super::{Here, here};
use crate::tools::{Signal, give, until, with_deadline};

/// Has this done with each line and its task.
fn listening(hear: impl Fn(usize, &str) + Send + Sync + 'static) -> Parallel<Here> {
    Parallel::new(2)
        .backend(here().output(Output::Lines))
        .observer(move |event: &Event| {
            if let Event::Line { task, text, .. } = event {
                hear(task.unwrap(), text);
            }
        })
}

#[test]
fn what_is_printed_there_comes_as_lines_here() {
    fn talk(i: u64) -> u64 {
        println!("out {i}");
        eprintln!("err {i}");
        i
    }
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lines);
    let parallel = listening(move |task, text| {
        heard.lock().unwrap().push((task, text.to_owned()));
    });
    with_deadline(|| parallel.map(talk, 0..20)).unwrap();
    let mut lines = std::mem::take(&mut *lines.lock().unwrap());
    lines.sort();
    let expected = (0..20).flat_map(|i| [(i, format!("err {i}")), (i, format!("out {i}"))]);
    assert_eq!(lines, Vec::from_iter(expected));
}

#[test]
fn a_line_comes_while_its_task_runs() {
    fn talk_and_wait((signal, i): (PathBuf, u64)) -> u64 {
        println!("I- Ordered {i}");
        until(|| signal.exists());
        println!("O- Served {i}");
        i
    }
    let signal = Signal::new();
    let (path, given) = (signal.path(), signal.path());
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lines);
    let parallel = listening(move |_, text| {
        heard.lock().unwrap().push(text.to_owned());
        give(&given);
    });
    // Both in one batch.
    let parallel = parallel.batch_size(2);
    let tasks = (0..2).map(|i| (path.clone(), i));
    assert_eq!(
        with_deadline(|| parallel.map(talk_and_wait, tasks)).unwrap(),
        [0, 1]
    );
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    let expected = (0..2).flat_map(|i| [format!("I- Ordered {i}"), format!("O- Served {i}")]);
    assert_eq!(lines, Vec::from_iter(expected), "each once");
}
