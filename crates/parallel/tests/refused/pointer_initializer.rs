use parallel::Processes;

fn main() {
    let chosen: fn() = || println!("Pizza");
    let _ = Processes::new().initializer(chosen);
}
