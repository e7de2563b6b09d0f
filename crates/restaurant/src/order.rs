//! Who wants what.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::fault::Fault;
use crate::menu::{Dish, Menu};

/// One dish for one customer, who may be nameless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who gets it.
    pub customer: Option<String>,
    /// What is to be prepared.
    pub dish: Arc<Dish>,
}

/// As many customers as the article has on an evening: 1 to 10.
///
/// ```
/// assert_eq!(restaurant::order::random_customers(42), restaurant::order::random_customers(42));
/// ```
#[must_use]
pub fn random_customers(seed: u64) -> usize {
    // A stream of its own: the orders for a seed are the same whoever counts the customers.
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    rng.random_range(1..=10)
}

/// Orders for random dishes. The same seed gives the same orders.
///
/// ```
/// use restaurant::menu::Menu;
/// use restaurant::order::random_orders;
///
/// let menu = Menu::default();
/// let few: Vec<_> = random_orders(&menu, 3, 42).collect();
/// let more: Vec<_> = random_orders(&menu, 9, 42).collect();
/// assert_eq!(more[..3], few);
/// ```
pub fn random_orders(
    menu: &Menu,
    customers: usize,
    seed: u64,
) -> impl ExactSizeIterator<Item = Order> + Send + '_ {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..customers).map(move |_| {
        let dish = menu.dishes().choose(&mut rng);
        Order {
            customer: None,
            dish: Arc::clone(dish.expect("a menu has at least one dish")),
        }
    })
}

/// More than any order needs, and so little that no input can fill the memory.
const LONGEST_LINE: usize = 4096;

/// Orders as somebody wrote them: one a line, `Pizza` or `Ada, Pizza`. Lines that are blank or begin
/// with `#` are skipped.
///
/// Read as they are needed. A line that is no order is a [`Fault`], and those after it are read on.
///
/// ```
/// use restaurant::menu::Menu;
/// use restaurant::order::WrittenOrders;
///
/// let menu = Menu::default();
/// let mut orders = WrittenOrders::new("Ada, Pizza\nPiza\n".as_bytes(), "orders.txt", &menu);
/// assert_eq!(orders.next().unwrap()?.customer.as_deref(), Some("Ada"));
/// assert_eq!(
///     orders.next().unwrap().unwrap_err().to_string(),
///     r#"orders.txt:2: "Piza" is not on the menu: the nearest dish is "Pizza""#
/// );
/// assert!(orders.next().is_none());
/// # Ok::<(), restaurant::fault::Fault>(())
/// ```
#[derive(Debug)]
pub struct WrittenOrders<'m, R> {
    reader: R,
    file: String,
    menu: &'m Menu,
    /// The number of the line that was read last.
    line: usize,
    ended: bool,
}

impl<'m, R: BufRead> WrittenOrders<'m, R> {
    /// `file` is what the faults call it.
    pub fn new(reader: R, file: &str, menu: &'m Menu) -> Self {
        Self {
            reader,
            file: file.to_owned(),
            menu,
            line: 0,
            ended: false,
        }
    }

    /// The next line without its end, as far as it may be long; `None` at the end of the input.
    fn read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let limit = LONGEST_LINE as u64 + 1;
        if self
            .reader
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(None);
        }
        if !line.ends_with(b"\n") && line.len() > LONGEST_LINE {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(line))
    }

    /// The order that a line is, if it is one at all.
    fn order(&self, line: &[u8]) -> Result<Option<Order>, String> {
        const HOW: &str = "write one order a line, as in `Pizza` or `Ada, Pizza`";
        if line.len() > LONGEST_LINE && !line.ends_with(b"\n") {
            return Err(format!(
                "the line is longer than {LONGEST_LINE} bytes: {HOW}"
            ));
        }
        let line =
            str::from_utf8(line).map_err(|_| format!("the line is not UTF-8 text: {HOW}"))?;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        // The name of a dish may have a comma in it.
        let (customer, name) = match line.split_once(',') {
            Some((customer, name)) if self.menu.get(line).is_none() => {
                (Some(customer.trim()), name.trim())
            }
            _ => (None, line),
        };
        if customer == Some("") {
            return Err(format!("the customer before the comma has no name: {HOW}"));
        }
        if name.is_empty() {
            return Err(format!("no dish is named after the comma: {HOW}"));
        }
        match self.menu.get(name) {
            Some(dish) => Ok(Some(Order {
                customer: customer.map(str::to_owned),
                dish: Arc::clone(dish),
            })),
            None => {
                let nearest = self.menu.nearest(name);
                Err(format!(
                    "{name:?} is not on the menu: the nearest dish is {nearest:?}"
                ))
            }
        }
    }
}

impl<R: BufRead> Iterator for WrittenOrders<'_, R> {
    type Item = Result<Order, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let line = self.read_line();
            self.line += 1;
            let order = match line {
                Ok(Some(line)) => self.order(&line),
                Ok(None) => break,
                Err(error) => {
                    self.ended = true;
                    Err(format!("reading stops here: {error}"))
                }
            };
            if let Some(order) = order.transpose() {
                return Some(order.map_err(|message| Fault::new(&self.file, self.line, message)));
            }
        }
        self.ended = true;
        None
    }
}
