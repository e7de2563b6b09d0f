//! What tasks print, and the last words of those that die.
#![allow(unsafe_code, reason = "C prints too")]

use std::io::Write;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex};

use parallel::{Event, Failure, Output, OutputStream, Parallel, Processes, delayed};

use crate::tools::{Signal, give, until, with_deadline};

type Heard = Arc<Mutex<Vec<(usize, Option<usize>, OutputStream, String)>>>;

fn listening(n_jobs: i32, processes: Processes) -> (Parallel<Processes>, Heard) {
    let heard = Heard::default();
    let lines = Arc::clone(&heard);
    let parallel = Parallel::new(n_jobs)
        .backend(processes.output(Output::Lines))
        .observer(move |event: &Event| {
            if let Event::Line {
                worker,
                task,
                stream,
                text,
                ..
            } = event
            {
                let line = (*worker, *task, *stream, text.clone());
                lines.lock().unwrap().push(line);
            }
        });
    (parallel, heard)
}

#[test]
fn lines_come_with_worker_and_task() {
    fn cook(i: usize) {
        println!("I- Ordered {i}");
        eprintln!("smoke {i}");
        print!("no end {i}");
    }
    for batch_size in [1, 7, 64] {
        let (parallel, heard) = listening(2, Processes::new());
        let parallel = parallel.batch_size(batch_size);
        with_deadline(|| parallel.map(cook, 0..50)).unwrap();
        let heard = heard.lock().unwrap();
        for i in 0..50 {
            let of_task = heard.iter().filter(|line| line.1 == Some(i));
            let mut lines: Vec<_> = of_task.map(|line| (line.2, line.3.clone())).collect();
            // The two streams are not ordered among each other.
            lines.sort_by_key(|line| line.0 == OutputStream::Stderr);
            let expected = [
                (OutputStream::Stdout, format!("I- Ordered {i}")),
                (OutputStream::Stdout, format!("no end {i}")),
                (OutputStream::Stderr, format!("smoke {i}")),
            ];
            assert_eq!(lines, expected);
        }
        assert_eq!(heard.len(), 150);
        assert!(heard.iter().all(|line| line.0 < 2));
    }
}

#[test]
fn a_crash_loses_no_line() {
    fn crash(i: usize) {
        for line in 0..1000 {
            println!("{line}");
        }
        // SAFETY: a valid format and as many arguments as it asks for.
        unsafe { libc::printf(c"C too\n".as_ptr()) };
        eprint!("and its last words");
        if i == 1 {
            process::abort();
        }
    }
    let (parallel, heard) = listening(1, Processes::new());
    let outcomes = with_deadline(|| parallel.outcomes((0..3).map(|i| delayed(crash, i))));
    let error = outcomes.unwrap().swap_remove(1).unwrap_err();
    let Failure::Died { last_words, .. } = error.failure() else {
        panic!("{error:?}")
    };
    assert!(last_words.ends_with("and its last words"), "{last_words}");
    let heard = heard.lock().unwrap();
    for task in 0..3 {
        let of_task = heard.iter().filter(|line| line.1 == Some(task));
        let (out, err): (Vec<_>, Vec<_>) = of_task.partition(|l| l.2 == OutputStream::Stdout);
        let out: Vec<_> = out.iter().map(|line| line.3.as_str()).collect();
        let mut expected: Vec<_> = (0..1000).map(|line| line.to_string()).collect();
        expected.push("C too".to_owned());
        assert_eq!(out, expected);
        assert_eq!(err.len(), 1);
        assert_eq!(err[0].3, "and its last words");
    }
}

/// Eight megabytes each, which no pipe holds.
fn flood(i: usize) -> usize {
    let line = [b"x".repeat(8191), b"\n".to_vec()].concat();
    for _ in 0..1024 {
        std::io::stdout().write_all(&line).unwrap();
        std::io::stderr().write_all(&line).unwrap();
    }
    i
}

#[test]
fn a_flood_is_no_deadlock() {
    let (parallel, heard) = listening(2, Processes::new());
    let results = with_deadline(|| parallel.map(flood, 0..4)).unwrap();
    assert_eq!(results, [0, 1, 2, 3]);
    assert_eq!(heard.lock().unwrap().len(), 4 * 2048);
}

#[test]
fn a_flood_into_nothing_is_no_deadlock() {
    let parallel = Parallel::new(2).backend(Processes::new().output(Output::Null));
    let results = with_deadline(|| parallel.map(flood, 0..4)).unwrap();
    assert_eq!(results, [0, 1, 2, 3]);
}

#[test]
fn an_observer_that_panics_harms_nothing() {
    let parallel = Parallel::new(2)
        .backend(Processes::new().output(Output::Lines))
        .observer(|_: &Event| panic!("no"));
    assert_eq!(
        parallel
            .map(
                |i| {
                    println!("{i}");
                    i
                },
                0..20
            )
            .unwrap()
            .len(),
        20
    );
}

#[test]
fn a_line_comes_while_its_task_runs() {
    fn talk_and_wait(signal: PathBuf) {
        println!("I- Ordered Pizza");
        until(|| signal.exists());
    }
    let signal = Signal::new();
    let (path, given) = (signal.path(), signal.path());
    let parallel = Parallel::new(1)
        .backend(Processes::new().output(Output::Lines))
        .observer(move |event: &Event| {
            if matches!(event, Event::Line { .. }) {
                give(&given);
            }
        });
    with_deadline(|| parallel.map(talk_and_wait, [path])).unwrap();
}

#[test]
fn last_words_are_told_whatever_becomes_of_the_rest() {
    fn last_words(_: u32) {
        for line in 0..30 {
            eprintln!("line {line}");
        }
        process::abort();
    }
    for output in [Output::Inherit, Output::Null, Output::Lines] {
        let parallel = Parallel::new(1).backend(Processes::new().output(output));
        let outcomes = parallel.outcomes([delayed(last_words, 0)]).unwrap();
        let error = outcomes[0].as_ref().unwrap_err();
        let Failure::Died { last_words, .. } = error.failure() else {
            panic!("{error:?}")
        };
        let expected: Vec<_> = (20..30).map(|line| format!("line {line}")).collect();
        assert_eq!(*last_words, expected.join("\n"));
        assert!(error.to_string().ends_with("\n    line 29"), "{error}");
    }
}

#[test]
fn what_an_earlier_call_printed_is_not_the_last_word() {
    let parallel = Parallel::new(1).backend(Processes::new().output(Output::Null));
    fn leave_a_thread(_: u32) {
        eprintln!("long ago");
        std::thread::spawn(|| eprintln!("between two calls"));
    }
    parallel.map(leave_a_thread, 0..1).unwrap();
    // The thread has printed when the worker has none but its own two.
    let threads = |_: u32| std::fs::read_dir("/proc/self/task").unwrap().count();
    while parallel.map(threads, 0..1).unwrap() != [2] {}
    let outcomes = parallel.outcomes([delayed(|_: u32| -> u32 { process::abort() }, 0)]);
    let error = outcomes.unwrap().swap_remove(0).unwrap_err();
    let Failure::Died { last_words, .. } = error.failure() else {
        panic!("{error:?}")
    };
    assert_eq!(last_words, "");
}
