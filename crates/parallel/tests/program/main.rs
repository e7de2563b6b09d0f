//! What shows only from outside of a program: what is left when it has ended, by whatever way, and
//! what it says when the system refuses something.
//!
//! Not a usual test harness: this executable plays the programs under test itself, when it is started
//! with the name of a role, so that nothing else runs in them.

mod configured;
mod limits;
mod parent;
#[cfg_attr(
    not(feature = "progress"),
    allow(dead_code, reason = "a bar needs more of it")
)]
mod screen;
mod stage;
mod streams;
mod watching;

use std::panic::catch_unwind;
use std::process::ExitCode;

/// A name and what to do.
type Named = (&'static str, fn());

const TESTS: &[Named] = &[
    (
        "the_environment_limits_the_cpus",
        parent::the_environment_limits_the_cpus,
    ),
    (
        "the_environment_chooses",
        configured::the_environment_chooses,
    ),
    (
        "a_bad_choice_is_told_and_can_be_overridden",
        configured::a_bad_choice_is_told_and_can_be_overridden,
    ),
    (
        "a_bad_number_of_cpus_is_told",
        configured::a_bad_number_of_cpus_is_told,
    ),
    (
        "a_killed_parent_leaves_nothing",
        parent::a_killed_parent_leaves_nothing,
    ),
    (
        "arrays_go_with_a_killed_parent",
        parent::arrays_go_with_a_killed_parent,
    ),
    (
        "ctrl_c_ends_all_and_prints_nothing",
        parent::ctrl_c_ends_all_and_prints_nothing,
    ),
    (
        "workers_of_workers_die_with_the_outermost_parent",
        parent::workers_of_workers_die_with_the_outermost_parent,
    ),
    (
        "what_tasks_left_behind_goes_with_the_program",
        parent::what_tasks_left_behind_goes_with_the_program,
    ),
    ("a_call_leaves_nothing", || {
        stage::play_apart("leave_nothing");
    }),
    ("a_stream_that_waits_costs_no_cpu", || {
        stage::play("wait_in_streams");
    }),
    ("a_long_stream_needs_no_more_memory", || {
        stage::play("stream_long");
    }),
    ("static_initializers_have_run_in_workers", || {
        stage::play("initialized");
    }),
    ("workers_of_static_initializers_start_none", || {
        stage::play("start_early");
    }),
    (
        "what_tasks_print_is_out_when_the_call_returns",
        parent::what_tasks_print_is_out,
    ),
    ("a_replaced_executable_does_not_matter", || {
        stage::play_as_copy("removed_executable");
    }),
    ("an_executable_that_cannot_start_is_told", || {
        stage::play_as_copy("locked_executable");
    }),
    ("workers_that_cannot_come_up_are_told", || {
        stage::play("no_memory_to_start");
    }),
    ("a_fork_of_the_program_has_no_part_in_its_workers", || {
        stage::play("forked");
    }),
    ("a_limit_of_the_size_of_files_is_told", || {
        stage::play("small_files");
    }),
    ("running_out_of_descriptors_is_told", || {
        stage::play("few_descriptors");
    }),
    ("arrays_leave_descriptors_for_others", || {
        stage::play("few_descriptors_for_arrays");
    }),
    ("threads_that_cannot_start_are_done_without", || {
        stage::play("no_threads");
    }),
    (
        "verbose_lines_have_joblibs_shape",
        watching::verbose_lines_have_joblibs_shape,
    ),
    #[cfg(feature = "progress")]
    (
        "a_bar_shows_how_far_a_call_is",
        watching::bar::shows_how_far_a_call_is,
    ),
    #[cfg(feature = "progress")]
    (
        "lines_of_workers_go_above_the_bar",
        watching::bar::lines_of_workers_go_above,
    ),
    #[cfg(feature = "progress")]
    (
        "lines_of_verbose_go_above_the_bar",
        watching::bar::lines_of_verbose_go_above,
    ),
    #[cfg(feature = "progress")]
    ("each_call_has_a_bar", watching::bar::each_call_has_one),
    #[cfg(feature = "progress")]
    (
        "without_a_terminal_there_are_plain_lines",
        watching::bar::plain_lines,
    ),
    #[cfg(feature = "progress")]
    (
        "a_panic_above_a_bar_costs_its_task",
        watching::bar::a_panic_above_one_costs_its_task,
    ),
    #[cfg(feature = "progress")]
    (
        "a_terminal_that_goes_ends_nothing",
        watching::bar::a_terminal_that_goes_ends_nothing,
    ),
    (
        "a_mark_that_somebody_set_is_refused",
        parent::a_mark_that_somebody_set_is_refused,
    ),
    (
        "a_task_that_reads_from_the_terminal_is_not_stopped",
        parent::a_task_that_reads_from_the_terminal_is_not_stopped,
    ),
];

const ROLES: &[Named] = &[
    ("count_cpus", parent::count_cpus),
    ("count_badly", configured::count_badly),
    ("choose_nothing", configured::choose_nothing),
    ("choose_processes", configured::choose_processes),
    (
        "choose_what_is_registered",
        configured::choose_what_is_registered,
    ),
    ("choose_badly", configured::choose_badly),
    ("start_workers_and_wait", parent::start_workers_and_wait),
    ("share_an_array_and_wait", parent::share_an_array_and_wait),
    ("leave_a_process_and_exit", parent::leave_a_process_and_exit),
    (
        "start_nested_workers_and_wait",
        parent::start_nested_workers_and_wait,
    ),
    ("print_in_pieces", parent::print_in_pieces),
    ("leave_nothing", limits::leave_nothing),
    ("wait_in_streams", streams::wait_in_streams),
    ("stream_long", streams::stream_long),
    ("initialized", limits::initialized),
    ("start_early", limits::start_early),
    ("read_the_terminal", parent::read_the_terminal),
    (
        "start_workers_with_a_mark",
        parent::start_workers_with_a_mark,
    ),
    ("removed_executable", limits::removed_executable),
    ("locked_executable", limits::locked_executable),
    ("no_memory_to_start", limits::no_memory_to_start),
    ("forked", limits::forked),
    ("small_files", limits::small_files),
    ("few_descriptors", limits::few_descriptors),
    (
        "few_descriptors_for_arrays",
        limits::few_descriptors_for_arrays,
    ),
    ("no_threads", limits::no_threads),
    ("be_verbose", watching::be_verbose),
    #[cfg(feature = "progress")]
    ("wait_under_a_bar", watching::bar::wait_under_one),
    #[cfg(feature = "progress")]
    ("print_above_a_bar", watching::bar::print_above_one),
    #[cfg(feature = "progress")]
    ("say_and_show", watching::bar::say_and_show),
    #[cfg(feature = "progress")]
    ("show_two_bars", watching::bar::show_two),
    #[cfg(feature = "progress")]
    ("panic_above_a_bar", watching::bar::panic_above),
    #[cfg(feature = "progress")]
    ("outlive_a_terminal", watching::bar::outlive_a_terminal),
    #[cfg(feature = "progress")]
    ("progress_twice", watching::bar::progress_twice),
];

fn main() -> ExitCode {
    if let Ok(role) = std::env::var(stage::ROLE) {
        let (_, play) = ROLES
            .iter()
            .find(|(name, _)| *name == role)
            .expect("a role");
        play();
        return ExitCode::SUCCESS;
    }
    let filter = std::env::args().nth(1).filter(|arg| !arg.starts_with('-'));
    let chosen = TESTS
        .iter()
        .filter(|(name, _)| filter.as_ref().is_none_or(|f| name.contains(f)));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in chosen {
        let ok = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        *if ok { &mut passed } else { &mut failed } += 1;
    }
    println!("\ntest result: {passed} passed; {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
