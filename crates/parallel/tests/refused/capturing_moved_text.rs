use parallel::{Parallel, Processes, delayed};

fn main() {
    let unit = String::from("g");
    let weigh = move |i: u64| format!("{i}{unit}");
    let _ = Parallel::new(2).backend(Processes::new()).run([delayed(weigh, 1)]);
}
