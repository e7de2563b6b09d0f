//! The text of each error, read one by one.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use super::*;

fn text(failure: Failure) -> String {
    TaskError::new(7, 1, failure).to_string()
}

fn died(signal: Option<i32>, code: Option<i32>) -> Failure {
    Failure::Died {
        signal,
        code,
        oom_likely: false,
        last_words: String::new(),
    }
}

#[test]
fn failures_say_what_happened_to_which_task() {
    let panicked = |location: Option<&str>| Failure::Panicked {
        message: "no salt".to_owned(),
        location: location.map(str::to_owned),
        backtrace: None,
    };
    insta::assert_snapshot!(text(panicked(Some("src/kitchen.rs:12:5"))), @"task 7 panicked at src/kitchen.rs:12:5: no salt");
    insta::assert_snapshot!(text(panicked(None)), @"task 7 panicked: no salt");
    insta::assert_snapshot!(text(died(Some(11), None)), @"task 7 killed its worker process: SIGSEGV, invalid memory access or stack overflow (signal 11)");
    insta::assert_snapshot!(text(died(Some(9), None)), @"task 7 killed its worker process: SIGKILL, killed by another process or by the kernel (signal 9)");
    insta::assert_snapshot!(text(died(Some(63), None)), @"task 7 killed its worker process: a signal (signal 63)");
    insta::assert_snapshot!(text(died(None, Some(3))), @"task 7 ended its worker process with exit code 3");
    insta::assert_snapshot!(text(died(None, None)), @"task 7 lost its worker process");
    insta::assert_snapshot!(text(Failure::TimedOut { limit: Duration::from_millis(1500) }), @"task 7 ran for longer than 1.5s and was ended with its worker process");
    insta::assert_snapshot!(text(Failure::OutOfMemory), @"task 7 wanted more memory than its worker process may have, and ended with it");
    insta::assert_snapshot!(text(Failure::Cancelled), @"task 7 was cancelled");
    insta::assert_snapshot!(text(Failure::Backend { message: "the kitchen is closed".to_owned() }), @"task 7 was not run: the kitchen is closed");
    insta::assert_snapshot!(text(Failure::Source {
        message: "the menu is torn".to_owned(),
        location: Some("src/menu.rs:3:1".to_owned()),
    }), @"task 7 was never given: the input iterator panicked at src/menu.rs:3:1: the menu is torn");
    let (type_name, message) = ("kitchen::Order".to_owned(), "it takes too much".to_owned());
    let encode = Failure::Encode {
        type_name: type_name.clone(),
        message: message.clone(),
    };
    insta::assert_snapshot!(text(encode), @"task 7 cannot send a value of type kitchen::Order: it takes too much");
    insta::assert_snapshot!(text(Failure::Decode { type_name, message }), @"task 7 cannot receive a value of type kitchen::Order: it takes too much");
}

#[test]
fn a_death_is_told_with_its_last_words_and_who_is_likely_to_blame() {
    insta::assert_snapshot!(text(Failure::Died {
        signal: Some(9),
        code: None,
        oom_likely: true,
        last_words: "double free or corruption\naborting".to_owned(),
    }), @r#"
    task 7 killed its worker process: SIGKILL, killed by another process or by the kernel (signal 9); likely by the kernel, which has just killed a process because memory ran out: run fewer jobs at a time, or set a memory limit; the last lines on its standard error:
        double free or corruption
        aborting
    "#);
}

#[test]
fn errors_of_calls_say_what_to_do() {
    insta::assert_snapshot!(Error::NoJobs, @"n_jobs is 0: ask for a number of workers, or for -1 to use every CPU");
    insta::assert_snapshot!(Error::StillRunning, @"there is no outcome yet: the work goes on; wait again, or cancel it");
    let task = Error::from(TaskError::new(7, 1, Failure::OutOfMemory));
    insta::assert_snapshot!(task, @"task 7 wanted more memory than its worker process may have, and ended with it");
    let backend = BackendError::with_source("cannot light the oven", io::Error::other("no gas"));
    insta::assert_snapshot!(backend, @"cannot light the oven: no gas");
    assert_eq!(backend.source().unwrap().to_string(), "no gas");
    // Of the two that are one error, the outer one has nothing to add.
    assert_eq!(Error::from(backend).source().unwrap().to_string(), "no gas");
}

#[cfg(target_os = "linux")]
#[test]
fn what_happened_elsewhere_says_where() {
    let elsewhere = |failure| TaskError::new(7, 1, failure).on_host("node3".to_owned());
    let error = elsewhere(died(Some(11), None));
    assert_eq!(error.host(), Some("node3"));
    insta::assert_snapshot!(error, @"task 7 killed its worker process: SIGSEGV, invalid memory access or stack overflow (signal 11) (on node3)");
    insta::assert_snapshot!(elsewhere(Failure::Died {
        signal: None,
        code: Some(3),
        oom_likely: false,
        last_words: "no gas".to_owned(),
    }), @r#"
    task 7 ended its worker process with exit code 3 (on node3); the last lines on its standard error:
        no gas
    "#);
    let message = "the head is gone".to_owned();
    insta::assert_snapshot!(TaskError::new(7, 1, Failure::Lost { message }), @"task 7 was lost: the head is gone");
}

#[test]
fn what_is_printed_for_developers_tells_all() {
    let error = TaskError::new(7, 2, died(Some(11), None));
    let error = error.with_history(vec![Failure::TimedOut {
        limit: Duration::from_secs(5),
    }]);
    insta::assert_snapshot!(error, @"task 7 (attempt 2) killed its worker process: SIGSEGV, invalid memory access or stack overflow (signal 11)");
    insta::assert_debug_snapshot!(error, @r#"
    TaskError {
        index: 7,
        attempts: 2,
        failure: Died {
            signal: Some(
                11,
            ),
            code: None,
            oom_likely: false,
            last_words: "",
        },
        history: [
            TimedOut {
                limit: 5s,
            },
        ],
        host: None,
    }
    "#);
    insta::assert_debug_snapshot!(Error::from(error), @r#"
    Task(
        TaskError {
            index: 7,
            attempts: 2,
            failure: Died {
                signal: Some(
                    11,
                ),
                code: None,
                oom_likely: false,
                last_words: "",
            },
            history: [
                TimedOut {
                    limit: 5s,
                },
            ],
            host: None,
        },
    )
    "#);
}

#[test]
fn errors_can_go_anywhere() {
    fn anywhere<E: std::error::Error + Send + Sync + 'static>() {}
    anywhere::<Error>();
    anywhere::<TaskError>();
    anywhere::<BackendError>();
    anywhere::<crate::TryError<u32, io::Error>>();
    fn sent<V: Send + Sync + 'static>() {}
    sent::<Failure>();
}
