use parallel::Processes;

fn main() {
    let price = 12;
    let _ = Processes::new().initializer(move || println!("{price}"));
}
