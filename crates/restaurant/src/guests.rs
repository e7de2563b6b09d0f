//! Where the orders come from.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::path::Path;

use parallel::BatchSize;
use restaurant::fault::Fault;
use restaurant::menu::Menu;
use restaurant::order::{Order, WrittenOrders, random_customers, random_orders};

use crate::Refusal;
use crate::cli::Evening;

/// The customers of an evening.
pub(crate) struct Guests<'m> {
    /// What they want, as they come.
    pub(crate) orders: Box<dyn Iterator<Item = Result<Order, Fault>> + Send + 'm>,
    /// How many orders a cook takes at a time.
    pub(crate) batch_size: BatchSize,
    /// What brings the same guests again.
    pub(crate) seed: Option<u64>,
}

impl<'m> Guests<'m> {
    /// Those who wrote their orders down, or else some who come by chance.
    pub(crate) fn invite(evening: &Evening, menu: &'m Menu) -> Result<Self, Refusal> {
        match &evening.orders {
            Some(path) => Self::by_letter(path, menu),
            None => Ok(Self::by_chance(evening, menu)),
        }
    }

    fn by_chance(evening: &Evening, menu: &'m Menu) -> Self {
        let seed = evening.seed.unwrap_or_else(rand::random);
        let customers = match evening.customers {
            Some(customers) => customers as usize,
            None => random_customers(seed),
        };
        Self {
            orders: Box::new(random_orders(menu, customers, seed).map(Ok)),
            batch_size: BatchSize::Auto,
            seed: Some(seed),
        }
    }

    fn by_letter(path: &Path, menu: &'m Menu) -> Result<Self, Refusal> {
        let (file, name) = if path == Path::new("-") {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            (stdin.map(File::from), "standard input".into())
        } else {
            (File::open(path), path.to_string_lossy())
        };
        let cannot = |error| format!("cannot read the orders from {name}: {error}");
        let file = file.map_err(cannot)?;
        let kind = file.metadata().map_err(cannot)?;
        if kind.is_dir() {
            return Err(format!(
                "cannot read the orders from {name}: it is a directory"
            ));
        }
        Ok(Self {
            // More orders may be long in coming, and nobody shall wait for the next one's.
            batch_size: if kind.is_file() {
                BatchSize::Auto
            } else {
                BatchSize::Fixed(1)
            },
            orders: Box::new(WrittenOrders::new(BufReader::new(file), &name, menu)),
            seed: None,
        })
    }
}
