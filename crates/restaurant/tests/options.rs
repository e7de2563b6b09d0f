//! The command line.

mod common;

use common::{BACKENDS, TempFile, restaurant, run, steps, text};

#[test]
fn the_same_seed_gives_the_same_orders() {
    let ordered = |args: &[&str]| {
        let output = run(&[args, &["--backend", "sequential"]].concat(), "", 0);
        (
            steps(&output).to_owned(),
            text(&output.stdout).lines().last().unwrap().to_owned(),
        )
    };
    let (first, seed) = ordered(&[]);
    let seed = seed.strip_prefix("seed       ").unwrap();
    assert_eq!(ordered(&["--seed", seed]).0, first);
    assert_eq!(ordered(&["--seed", "1"]).0, ordered(&["--seed", "1"]).0);
    assert_ne!(
        ordered(&["--seed", "1", "--customers", "30"]),
        ordered(&["--seed", "2", "--customers", "30"])
    );
}

#[test]
fn by_default_one_to_ten_customers_come() {
    for seed in 0..20 {
        let output = run(&["--quiet", "--seed", &seed.to_string()], "", 0);
        let dishes = text(&output.stdout).lines().next().unwrap();
        let dishes: u32 = dishes.strip_prefix("dishes     ").unwrap().parse().unwrap();
        assert!((1..=10).contains(&dishes), "{dishes}");
    }
}

#[test]
fn any_number_of_cooks_will_do_but_none() {
    for backend in BACKENDS {
        for jobs in ["1", "2", "7", "-1", "-2", "-1000"] {
            run(
                &["--backend", backend, "--jobs", jobs, "--customers", "5"],
                "",
                0,
            );
        }
        let output = run(&["--backend", backend, "--jobs", "0"], "", 2);
        assert_eq!(
            text(&output.stderr),
            "error: --jobs 0: n_jobs is 0: ask for a number of workers, or for -1 to use every CPU\n"
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn cooking_takes_cpu_time() {
    for backend in BACKENDS {
        let args = [
            "--quiet",
            "--customers",
            "4",
            "--cook-time",
            "1ms",
            "--backend",
            backend,
        ];
        let output = run(&args, "", 0);
        let summary = text(&output.stdout);
        let one_cook = summary
            .lines()
            .find_map(|line| line.strip_prefix("one cook   "));
        let one_cook: f64 = one_cook
            .unwrap()
            .strip_suffix("ms")
            .unwrap()
            .parse()
            .unwrap();
        // Four dishes of five ingredients at least.
        assert!(one_cook >= 20.0, "{summary}");
    }
}

#[test]
fn how_far_the_orders_are_is_told_on_standard_error() {
    for backend in BACKENDS {
        let evening = [
            "--quiet",
            "--seed",
            "1",
            "--customers",
            "4",
            "--backend",
            backend,
        ];
        let told = |option: &[&str]| {
            let output = run(&[&evening, option].concat(), "", 0);
            assert!(text(&output.stdout).starts_with("dishes     4\n"));
            text(&output.stderr).to_owned()
        };
        let bar = told(&["--progress"]);
        assert!(
            bar.lines().last().unwrap().starts_with("4 done in "),
            "{bar}"
        );
        let each = told(&["--verbose=11"]);
        assert_eq!(each.lines().count(), 5, "{each}");
        assert!(each.contains("Done 3 tasks | elapsed: "), "{each}");
        assert!(each.contains("Done 4 out of 4 | elapsed: "), "{each}");
        let some = told(&["--verbose"]);
        assert!(
            some.starts_with("[Parallel(n_jobs=3)]: Done 1 tasks | elapsed: "),
            "{some}"
        );
        assert_eq!(told(&["--verbose=0"]), "");
        assert_eq!(told(&["--verbose", "11"]).lines().count(), 5);
    }
}

#[test]
fn what_the_cooks_did_is_written_down() {
    for backend in BACKENDS {
        let file = TempFile::new(&format!("{backend}.json"), "");
        let args = [
            "--customers",
            "7",
            "--backend",
            backend,
            "--trace",
            file.path(),
        ];
        run(&args, "", 0);
        let trace = std::fs::read_to_string(&file.0).unwrap();
        let trace: serde_json::Value = serde_json::from_str(&trace).unwrap();
        let blocks = |kind: &str| {
            let of_kind = |event: &&serde_json::Value| event["ph"] == "X" && event["cat"] == kind;
            trace.as_array().unwrap().iter().filter(of_kind).count()
        };
        assert_eq!(blocks("task"), 7, "{trace}");
        // Each dish of the menu has five ingredients or six.
        assert!((35..=42).contains(&blocks("span")), "{trace}");
    }
    let output = run(&["--trace", "/nowhere/trace.json"], "", 2);
    assert_eq!(
        text(&output.stderr),
        "error: cannot write the trace to /nowhere/trace.json: No such file or directory (os error 2)\n"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_usage_is_told_and_nobody_is_served() {
    for (args, told) in [
        (["--cook-time", "2"].as_slice(), "the unit is missing"),
        (
            &["--cook-time", "2 parsecs"],
            "write a number and a unit, as in 300us, 2ms or 1.5s",
        ),
        (&["--cook-time=-2ms"], "write a number and a unit"),
        (&["--jobs", "many"], "invalid value 'many' for '--jobs <N>'"),
        (&["--jobs", "1001"], "1001 is not in"),
        (
            &["--backend", "spark"],
            "there are sequential, threads, processes, dask",
        ),
        (&["--customers", "-1"], "-1 is not in 0.."),
        (&["--seed", "-1"], "invalid value '-1' for '--seed <S>'"),
        (
            &["--customers", "3", "--orders", "-"],
            "cannot be used with",
        ),
        (&["--seed", "3", "--orders", "-"], "cannot be used with"),
        (&["--seeds", "3"], "'--seed'"),
        (
            &["--verbose=much"],
            "invalid value 'much' for '--verbose [<N>]'",
        ),
        (&["compare", "--customers", "0"], "0 is not in 1.."),
    ] {
        let output = run(args, "", 2);
        let stderr = text(&output.stderr);
        assert!(stderr.contains(told), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn compare_prints_a_table_of_all_backends() {
    let output = run(
        &[
            "compare",
            "--customers",
            "6",
            "--cook-time",
            "100us",
            "--jobs",
            "2",
        ],
        "",
        0,
    );
    assert!(output.stderr.is_empty());
    let rows: Vec<Vec<_>> = text(&output.stdout)
        .lines()
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(
        rows[0],
        [
            "Feature",
            "Plain loop",
            "Sequential",
            "Threads",
            "Processes"
        ]
    );
    let features: Vec<_> = rows.iter().skip(2).map(|row| row[0]).collect();
    assert_eq!(
        features,
        [
            "Concurrency model",
            "Wall time",
            "Speed-up over plain loop",
            "Overhead per order",
            "Time to start",
            "Memory of the parent",
            "Memory of the workers"
        ]
    );
    assert!(rows.last().unwrap()[4].ends_with("2 workers"), "{rows:?}");
}

#[test]
fn a_report_shows_the_cooks_and_their_dishes() {
    let folder = std::env::temp_dir().join(format!("restaurant-report-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("kitchen.html");
    for backend in BACKENDS {
        let args = ["--quiet", "--customers", "30", "--jobs", "2"];
        let report = ["--backend", backend, "--report", path.to_str().unwrap()];
        let output = run(&[&args[..], &report].concat(), "", 0);
        assert!(output.stderr.is_empty());
        let page = std::fs::read_to_string(&path).unwrap();
        for word in [
            "The kitchen",
            "Cook 1",
            "Pizza",
            "cook Flour",
            "\"finished\":30,",
        ] {
            assert!(page.contains(word), "{backend}: {word}");
        }
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::remove_dir(&folder).unwrap();
}

#[test]
fn a_kitchen_that_cannot_be_shown_is_told_and_nobody_is_served() {
    for (args, told) in [
        (
            ["--report", "no/such/folder/kitchen.html"],
            "error: --report: cannot write the report to no/such/folder/kitchen.html: ",
        ),
        (["--watch", "8787"], "write an address and a port"),
        (["--watch", "0.0.0.0:0"], "others could look in there"),
    ] {
        let output = run(&args, "", 2);
        let stderr = text(&output.stderr);
        assert!(stderr.contains(told), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn no_file_is_written_over_that_another_option_names() {
    let menu = TempFile::new("menu.toml", "Pizza = [\"Flour\"]\n");
    let orders = TempFile::new("orders.txt", "Pizza\n");
    let new = TempFile::new("new.json", "");
    std::fs::remove_file(&new.0).unwrap();
    // By another way to the same place.
    let around = |file: &TempFile| {
        let name = file.0.file_name().unwrap();
        let folder = file.0.parent().unwrap();
        format!("{}/./{}", folder.display(), name.display())
    };
    for (args, told) in [
        (
            ["--trace", new.path(), "--report", &around(&new)],
            "error: --trace and --report name the same file, ",
        ),
        (
            ["--orders", orders.path(), "--trace", &around(&orders)],
            "error: --orders and --trace name the same file, ",
        ),
        (
            ["--menu", menu.path(), "--report", menu.path()],
            "error: --menu and --report name the same file, ",
        ),
    ] {
        let output = run(&args, "", 2);
        let stderr = text(&output.stderr);
        assert!(stderr.starts_with(told), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
    assert!(!new.0.exists());
    let read = |file: &TempFile| std::fs::read_to_string(&file.0).unwrap();
    assert_eq!(read(&orders), "Pizza\n");
    assert_eq!(read(&menu), "Pizza = [\"Flour\"]\n");
    // To read one twice harms nobody.
    let both = ["--menu", menu.path(), "--orders", menu.path(), "--quiet"];
    run(&both, "", 1);
}

#[test]
fn a_python_that_is_none_is_told_with_what_to_set() {
    for (python, told) in [
        ("/bin/true", "/bin/true"),
        ("/bin/echo", "/bin/echo"),
        ("/nowhere/python", "cannot start /nowhere/python"),
    ] {
        let mut evening = restaurant();
        evening.args(["--quiet", "--backend", "dask"]);
        let output = evening.env("PARALLEL_PYTHON", python).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = text(&output.stderr);
        assert!(stderr.contains(told), "{python}: {stderr}");
        assert!(stderr.contains("in PARALLEL_PYTHON"), "{python}: {stderr}");
    }
}

#[test]
fn the_help_says_what_there_is_to_know() {
    for (args, words) in [
        (
            ["--help"].as_slice(),
            ["10 if it is left out", "  2  wrong usage, "],
        ),
        (
            &["compare", "--help"],
            ["Exit codes:", "  2  wrong usage, "],
        ),
    ] {
        let output = run(args, "", 0);
        for word in words {
            assert!(text(&output.stdout).contains(word), "{args:?}: {word}");
        }
    }
}

#[test]
fn the_kitchen_can_be_watched() {
    let output = run(&["--quiet", "--watch", "127.0.0.1:0"], "", 0);
    let stderr = text(&output.stderr);
    assert!(
        stderr.starts_with("the kitchen can be seen at http://127.0.0.1:"),
        "{stderr}"
    );
}
