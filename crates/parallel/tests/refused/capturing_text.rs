use parallel::{Parallel, Processes, delayed};

fn main() {
    let unit = String::from("g");
    let tasks = (0..3u64).map(|i| delayed(|i: u64| format!("{i}{unit}"), i));
    let _ = Parallel::new(2).backend(Processes::new()).run(tasks);
}
