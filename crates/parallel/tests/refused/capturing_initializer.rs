use parallel::Processes;

fn main() {
    let menu = String::from("Pizza");
    let _ = Processes::new().initializer(move || println!("{menu}"));
}
