//! Functions of any number of arguments, with `delayed!`, which is written like the call itself.
//! Run it with `cargo run --example several_arguments`.

use parallel::{Parallel, Processes, delayed};

fn price(dish: &str, portions: u32, cents: u32) -> String {
    let total = portions * cents;
    format!("{portions} x {dish}: {}.{:02}", total / 100, total % 100)
}

fn greeting() -> String {
    "Welcome".to_owned()
}

fn main() -> Result<(), parallel::Error> {
    let parallel = Parallel::new(2);

    let orders = [("Pizza", 2, 895), ("Salad", 1, 550), ("Spaghetti", 3, 780)];
    let bill = parallel.run(
        orders
            .iter()
            .map(|&(dish, n, cents)| delayed!(price(dish, n, cents))),
    )?;
    assert_eq!(
        bill,
        [
            "2 x Pizza: 17.90",
            "1 x Salad: 5.50",
            "3 x Spaghetti: 23.40"
        ]
    );
    bill.iter().for_each(|line| println!("{line}"));

    // A path to a method is a function too, and so is one without arguments.
    let roots = parallel.run((0..5).map(|i| delayed!(f64::powf(f64::from(i * i), 0.5))))?;
    assert_eq!(roots, [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(parallel.run([delayed!(greeting())])?, ["Welcome"]);

    // In processes the arguments travel, so they are owned.
    let cubes = Parallel::new(2)
        .backend(Processes::new())
        .run((0..5u64).map(|i| delayed!(u64::pow(i, 3))))?;
    assert_eq!(cubes, [0, 1, 8, 27, 64]);
    Ok(())
}
