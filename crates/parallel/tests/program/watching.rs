//! What a program that is watched prints.

use parallel::{Parallel, delayed};

use crate::stage;

/// Puts `T` where a line says how long something takes, and `R` where it says how fast it goes.
fn without_times(text: &str) -> Vec<String> {
    let number = |word: &str, unit: &str| {
        let number = word.strip_suffix(unit)?;
        number.parse::<f64>().ok()
    };
    let word = |word: &str| {
        let (bare, comma) = match word.strip_suffix(',') {
            Some(bare) => (bare, ","),
            None => (word, ""),
        };
        if number(bare, "s").is_some() {
            format!("T{comma}")
        } else if number(bare, "/s").is_some() {
            format!("R{comma}")
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect()
}

/// What a role prints on standard error, no terminal.
fn printed(role: &str) -> Vec<String> {
    let mut command = stage::command(role);
    command.stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let output = stage::output(command.spawn().unwrap());
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    without_times(str::from_utf8(&output.stderr).unwrap())
}

fn square(i: u64) -> u64 {
    i * i
}

pub fn be_verbose() {
    let parallel = Parallel::new(3).verbose(10);
    let squares = parallel.run((0..8).map(|i| delayed(square, i))).unwrap();
    assert_eq!(squares.len(), 8);
    let tasks = (0..8).filter(|i| i % 2 == 0).map(|i| delayed(square, i));
    assert_eq!(parallel.iter(tasks).count(), 4);
    // Not any more.
    let parallel = parallel.verbose(0);
    assert_eq!(parallel.map(square, 0..8).unwrap().len(), 8);
}

pub fn verbose_lines_have_joblibs_shape() {
    assert_eq!(
        printed("be_verbose"),
        [
            "[Parallel(n_jobs=3)]: Done 1 out of 8 | elapsed: T remaining: T",
            "[Parallel(n_jobs=3)]: Done 2 out of 8 | elapsed: T remaining: T",
            "[Parallel(n_jobs=3)]: Done 5 out of 8 | elapsed: T remaining: T",
            "[Parallel(n_jobs=3)]: Done 8 out of 8 | elapsed: T finished",
            "[Parallel(n_jobs=3)]: Done 1 tasks | elapsed: T",
            "[Parallel(n_jobs=3)]: Done 2 tasks | elapsed: T",
            "[Parallel(n_jobs=3)]: Done 4 out of 4 | elapsed: T finished",
        ]
    );
}

#[cfg(feature = "progress")]
pub mod bar {
    use std::fs;

    use parallel::{Output, Parallel, Processes, Progress, current, delayed};
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::{printed, square};
    use crate::screen::Screen;
    use crate::stage;

    /// Lines of the screen, from the first that is not empty to the last.
    fn lines(text: &str) -> Vec<&str> {
        text.trim().lines().map(str::trim_end).collect()
    }

    pub fn wait_under_one() {
        let parallel = Parallel::new(1).progress(true);
        let outcomes = parallel.outcomes((0..4).map(|i| {
            delayed(
                |i| match i {
                    1 => std::panic::resume_unwind(Box::new("burnt")),
                    2 => drop(std::io::stdin().read_line(&mut String::new())),
                    _ => {}
                },
                i,
            )
        }));
        assert_eq!(outcomes.unwrap().len(), 4);
        let failed = parallel.run((0..4).map(|i| {
            delayed(
                |i| {
                    if i == 1 {
                        std::panic::resume_unwind(Box::new("burnt"));
                    }
                },
                i,
            )
        }));
        assert!(failed.is_err());
    }

    pub fn shows_how_far_a_call_is() {
        let mut screen = Screen::run(stage::command("wait_under_a_bar"));
        screen.until(|text| text.contains("2/4") && text.contains("left, 1 failed"));
        let text = screen.text();
        assert!(text.starts_with("[=") && text.contains("/s, "), "{text}");
        screen.type_in("\n");
        let text = screen.end();
        let bars: Vec<_> = lines(&text)
            .into_iter()
            .filter(|line| line.starts_with('['))
            .collect();
        assert_eq!(bars.len(), 2, "{text}");
        let whole = format!("[{}] 4/4 in ", "=".repeat(30));
        assert!(
            bars[0].starts_with(&whole) && bars[0].ends_with("s, 1 failed"),
            "{text}"
        );
        assert!(
            bars[1].contains("] 2/4 in ") && bars[1].ends_with("s, 1 failed, stopped"),
            "{text}"
        );
    }

    fn cook(i: u32, gate: String) {
        println!("dish {i}");
        if i == 3 && current().unwrap().attempt() == 1 {
            std::process::abort();
        }
        if i == 5 {
            // Until somebody writes there.
            let _ = fs::read(gate);
        }
    }

    pub fn print_above_one() {
        let gate = std::env::var("GATE").unwrap();
        let parallel = Parallel::new(1)
            .batch_size(1)
            .backend(Processes::new().output(Output::Lines).retries(1))
            .observer(Progress::new().per_worker(true));
        let tasks = (0..6)
            .filter(|i| *i < 10)
            .map(move |i| delayed!(cook(i, gate.clone())));
        assert_eq!(parallel.iter(tasks).filter(Result::is_ok).count(), 6);
    }

    pub fn lines_of_workers_go_above() {
        let gate = std::env::temp_dir().join(format!("parallel-gate-{}", std::process::id()));
        mknodat(CWD, &gate, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut command = stage::command("print_above_a_bar");
        command.env("GATE", &gate);
        let mut screen = Screen::run(command);
        screen.until(|text| text.contains("5 done") && text.contains("  worker 0: task 5"));
        fs::write(&gate, "go on").unwrap();
        fs::remove_file(&gate).unwrap();
        let text = screen.end();
        let lines = lines(&text);
        let (last, above) = lines.split_last().unwrap();
        // The one that died was tried again, after others or not.
        let mut above = above.to_vec();
        above.sort_unstable();
        let dishes = [0, 1, 2, 3, 3, 4, 5].map(|i| format!("dish {i}"));
        assert_eq!(above, dishes, "{text}");
        assert!(
            last.starts_with("6 done in ") && last.ends_with("s, 1 retried"),
            "{text}"
        );
    }

    pub fn show_two() {
        let parallel = Parallel::new(2).progress(true);
        let mut long = parallel.iter((0..5).map(|i| delayed(square, i)));
        assert!(long.next().unwrap().is_ok());
        assert_eq!(parallel.map(square, 0..3).unwrap().len(), 3);
        assert_eq!(long.count(), 4);
        // One that nobody wants to the end.
        drop(
            parallel
                .iter((0..).map(|i: u64| delayed(square, i)))
                .take(3),
        );
    }

    pub fn each_call_has_one() {
        let text = Screen::run(stage::command("show_two_bars")).end();
        let lines = lines(&text);
        for bar in [" 5/5 in ", " 3/3 in "] {
            assert_eq!(
                lines.iter().filter(|line| line.contains(bar)).count(),
                1,
                "{text}"
            );
        }
    }

    pub fn say_and_show() {
        let parallel = Parallel::new(1).batch_size(1).progress(true).verbose(11);
        let wait = |i| {
            if i == 2 {
                let _ = std::io::stdin().read_line(&mut String::new());
            }
        };
        assert_eq!(parallel.map(wait, 0..4).unwrap().len(), 4);
        // Another bar of the same program, and lines while it is there.
        let other = Parallel::new(1).progress(true);
        let mut long = other.iter((0..5).map(|i| delayed(square, i)));
        assert!(long.next().unwrap().is_ok());
        assert_eq!(parallel.map(square, 0..2).unwrap().len(), 2);
        assert_eq!(long.count(), 4);
        // A single task has no bar.
        assert_eq!(other.submit(delayed(square, 3)).join().unwrap(), 9);
    }

    pub fn lines_of_verbose_go_above() {
        let mut screen = Screen::run(stage::command("say_and_show"));
        screen.until(|text| text.contains("Done 2 out of 4") && text.contains("] 2/4 "));
        screen.type_in("\n");
        let text = screen.end();
        let (said, bars): (Vec<_>, Vec<_>) = lines(&text)
            .into_iter()
            .partition(|line| line.starts_with("[Parallel(n_jobs=1)]: Done "));
        assert_eq!(said.len(), 4 + 2, "{text}");
        let bar = format!("[{}] ", "=".repeat(30));
        assert!(bars.iter().all(|line| line.starts_with(&bar)), "{text}");
        let counts = bars
            .iter()
            .map(|line| line[bar.len()..].split(' ').next().unwrap());
        let mut counts: Vec<_> = counts.collect();
        counts.sort_unstable();
        assert_eq!(counts, ["2/2", "4/4", "5/5"], "{text}");
    }

    pub fn panic_above() {
        let progress = Progress::new();
        let parallel = Parallel::new(1).observer(progress.clone());
        let print = |i| {
            progress.suspend(|| {
                if i == 1 {
                    std::panic::resume_unwind(Box::new("burnt"));
                }
                // As a log does that is written to from anywhere.
                progress.suspend(|| println!("dish {i}"));
            });
        };
        let outcomes = parallel.outcomes((0..4).map(|i| delayed(print, i)));
        let failed: Vec<_> = outcomes.unwrap().iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, true, false, false]);
    }

    pub fn a_panic_above_one_costs_its_task() {
        let text = Screen::run(stage::command("panic_above_a_bar")).end();
        let lines = lines(&text);
        let whole = format!("[{}] 4/4 in ", "=".repeat(30));
        assert_eq!(lines[..3], ["dish 0", "dish 2", "dish 3"], "{text}");
        assert!(
            lines[3].starts_with(&whole) && lines[3].ends_with(", 1 failed"),
            "{text}"
        );
    }

    pub fn outlive_a_terminal() {
        let parallel = Parallel::new(1).progress(true).verbose(11);
        let wait = |i| {
            if i == 1 {
                // Until there is nobody any more.
                let _ = std::io::stdin().read_line(&mut String::new());
            }
        };
        assert_eq!(parallel.map(wait, 0..4).unwrap().len(), 4);
        assert_eq!(parallel.map(wait, 0..4).unwrap().len(), 4);
    }

    pub fn a_terminal_that_goes_ends_nothing() {
        let mut screen = Screen::run(stage::command("outlive_a_terminal"));
        screen.until(|text| text.contains("] 1/4 "));
        screen.hang_up();
    }

    pub fn progress_twice() {
        let parallel = Parallel::new(2).progress(true);
        assert_eq!(parallel.map(square, 0..30).unwrap().len(), 30);
        let tasks = (0..8).filter(|i| i % 2 == 0).map(|i| delayed(square, i));
        assert_eq!(parallel.iter(tasks).count(), 4);
        let parallel = parallel.progress(false);
        assert_eq!(parallel.map(square, 0..8).unwrap().len(), 8);
    }

    pub fn plain_lines() {
        let mut expected: Vec<_> = (3..30)
            .step_by(3)
            .map(|done| format!("{done} of 30 done, R, T left"))
            .collect();
        let rest = [
            "30 of 30 done in T",
            "1 done, R",
            "2 done, R",
            "4 done, R",
            "4 done in T",
        ];
        expected.extend(rest.map(str::to_owned));
        assert_eq!(printed("progress_twice"), expected);
    }
}
