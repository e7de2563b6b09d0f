//! Programs whose users choose in the environment.

use std::process::id;
use std::sync::atomic::{AtomicBool, Ordering};

use parallel::{Error, Parallel, Processes, Sequential, config, cpu_share, register_backend};

use crate::stage;

fn pid() -> Result<u32, Error> {
    let pids = Parallel::configured().map(|_| id(), 0..1)?;
    Ok(pids[0])
}

fn jobs() -> Result<usize, Error> {
    Parallel::configured().effective_n_jobs()
}

fn play(role: &str, environment: &[(&str, &str)]) {
    let mut command = stage::command(role);
    command
        .env_remove("PARALLEL_BACKEND")
        .env_remove("PARALLEL_N_JOBS");
    command.envs(environment.iter().copied());
    stage::finish(role, command);
}

pub fn the_environment_chooses() {
    play("choose_nothing", &[]);
    play(
        "choose_nothing",
        &[("PARALLEL_BACKEND", ""), ("PARALLEL_N_JOBS", " ")],
    );
    play(
        "choose_processes",
        &[
            ("PARALLEL_BACKEND", "processes:env.OVEN=hot"),
            ("PARALLEL_N_JOBS", " 7 "),
        ],
    );
    play("choose_what_is_registered", &[("PARALLEL_BACKEND", "mine")]);
}

pub fn a_bad_choice_is_told_and_can_be_overridden() {
    play(
        "choose_badly",
        &[
            ("PARALLEL_BACKEND", "threads:fast=yes"),
            ("PARALLEL_N_JOBS", "many"),
        ],
    );
    play(
        "choose_badly",
        &[("PARALLEL_BACKEND", "proceses"), ("PARALLEL_N_JOBS", "0")],
    );
}

pub fn a_bad_number_of_cpus_is_told() {
    play("count_badly", &[("PARALLEL_MAX_CPUS", "two")]);
}

pub fn count_badly() {
    for parallel in [
        Parallel::configured(),
        Parallel::new(-2).backend("threads".into()),
    ] {
        let error = parallel.map(|i| i, 0..3).unwrap_err().to_string();
        assert_eq!(
            error,
            "PARALLEL_MAX_CPUS is \"two\": set it to a number of CPUs, or unset it"
        );
    }
    assert_eq!(Parallel::new(2).map(|i| i, 0..3).unwrap(), [0, 1, 2]);
}

pub fn choose_nothing() {
    assert_eq!(pid().unwrap(), id());
    assert_eq!(jobs().unwrap(), cpu_share());
}

pub fn choose_processes() {
    let oven = Parallel::configured().map(|_| std::env::var("OVEN").unwrap(), 0..1);
    assert_eq!(oven.unwrap(), ["hot"]);
    assert_eq!(jobs().unwrap(), 7);

    let worker = pid().unwrap();
    assert_ne!(worker, id());
    assert_eq!(pid().unwrap(), worker, "workers stay for the next one");

    // In a task the number is the share of it, and calls follow the environment, which is the same there.
    let inside = |_| (id(), pid().unwrap(), jobs().unwrap(), cpu_share());
    let (outer, inner, jobs_inside, share) = Parallel::configured().map(inside, 0..1).unwrap()[0];
    assert!(outer != id() && inner != outer && inner != id());
    assert_eq!(
        (jobs_inside, share),
        ((cpu_share() / 7).max(1), (cpu_share() / 7).max(1))
    );

    // A backend without a name stays here.
    let choice = config().backend(Sequential::new());
    assert_eq!(choice.scope(pid).unwrap(), id());
    let choice = config().backend(Processes::new());
    let there =
        choice.scope(|| Parallel::configured().map(|_| std::env::var("OVEN").is_ok(), 0..1));
    assert_eq!(there.unwrap(), [false]);

    config().n_jobs(2).scope(|| {
        assert_eq!(jobs().unwrap(), 2);
        assert_eq!(pid().unwrap(), worker);
    });
    let parallel = Parallel::configured().n_jobs(3);
    assert_eq!(parallel.effective_n_jobs().unwrap(), 3);
}

pub fn choose_what_is_registered() {
    let error = pid().unwrap_err().to_string();
    assert!(error.contains("PARALLEL_BACKEND is \"mine\""), "{error}");
    // Whoever makes it may ask for it, if that comes to an end.
    static ASKED: AtomicBool = AtomicBool::new(false);
    let factory = || {
        if !ASKED.swap(true, Ordering::Relaxed) {
            assert_ne!(pid().unwrap(), id());
        }
        Processes::new()
    };
    register_backend("mine", factory).unwrap();
    let worker = pid().unwrap();
    assert_ne!(worker, id());
    assert_eq!(pid().unwrap(), worker);
    // It is known here, and not in the workers.
    let inside = |_| pid().map_err(|error| error.to_string());
    let error = Parallel::configured().map(inside, 0..1).unwrap()[0].clone();
    assert!(
        error
            .unwrap_err()
            .contains("in a worker process by its initializer")
    );
}

pub fn choose_badly() {
    let (backend, n_jobs) = ["PARALLEL_BACKEND", "PARALLEL_N_JOBS"]
        .map(|name| format!("{name} is {:?}: ", std::env::var(name).unwrap()))
        .into();
    let told = |error: Error, what: &str| {
        assert!(matches!(error, Error::Backend(_)), "{error:?}");
        assert!(error.to_string().starts_with(what), "{error}");
    };
    told(jobs().unwrap_err(), &n_jobs);
    told(pid().unwrap_err(), &n_jobs);
    let parallel = Parallel::configured().n_jobs(2);
    told(parallel.map(|i| i, 0..3).unwrap_err(), &backend);
    assert_eq!(
        parallel
            .backend(Sequential::new())
            .map(|i| i, 0..3)
            .unwrap(),
        [0, 1, 2]
    );
    let choice = config().backend("processes").n_jobs(2);
    assert_ne!(choice.scope(pid).unwrap(), id());
    assert_eq!(Parallel::new(2).map(|i| i, 0..3).unwrap(), [0, 1, 2]);
}
