//! The article's functions, under their names: [`ordered_dishes`], [`get_ingredients`], [`cook`],
//! [`serve`], [`prepare_dish`].
//!
//! In the article they are generators: each asks the one before it for the next thing, so that a
//! dish's ingredients are cooked, seasoned and served one after the other. Here they are iterators,
//! which are lazy in the same way.

use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracing::debug_span;

use crate::menu::Dish;
use crate::order::Order;
use crate::output::{self, Slip, Telling, Trouble};
use crate::oven::{self, Watch};

/// How work is done here.
#[derive(Clone, Copy, Debug)]
pub struct Kitchen {
    /// How the steps are told.
    pub telling: Telling,
    /// The CPU time that each ingredient takes.
    pub cook_time: Duration,
}

/// An order on its way to a cook. The cook may be in another process, so all that is needed goes with
/// it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ticket {
    dish: Arc<Dish>,
    cook_time: Duration,
    slip: Slip,
}

impl Ticket {
    /// A ticket on which nothing is written yet.
    #[must_use]
    pub fn new(dish: Arc<Dish>, kitchen: &Kitchen) -> Self {
        Self {
            dish,
            cook_time: kitchen.cook_time,
            slip: Slip::new(kitchen.telling),
        }
    }

    /// What was ordered.
    #[must_use]
    pub fn dish(&self) -> &Dish {
        &self.dish
    }
}

/// A dish that was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// `Served Pizza`: what the article's function returns.
    pub line: String,
    /// The CPU time that it took the cook.
    pub cooking: Duration,
}

/// Takes the orders, each when it is asked for, and says so. Ends early when nobody listens.
pub fn ordered_dishes<'k>(
    orders: impl Iterator<Item = Order> + Send + 'k,
    kitchen: &'k Kitchen,
) -> impl Iterator<Item = Ticket> + Send + 'k {
    let mut audience = Audience::new();
    orders.take_while(move |_| audience.listens()).map(|order| {
        let ticket = Ticket::new(order.dish, kitchen);
        ticket
            .slip
            .say(format_args!("I- Ordered {}", ticket.dish.name));
        ticket
    })
}

/// The ingredients of a dish.
pub fn get_ingredients<'t>(dish: &'t Dish, slip: &'t Slip) -> impl Iterator<Item = &'t str> {
    let fetch = move || {
        slip.say(format_args!("Get ingredients for {}...", dish.name));
        dish.ingredients.iter().map(String::as_str)
    };
    iter::once_with(fetch).flatten()
}

/// Cooks each ingredient.
pub fn cook<'t>(
    dish_ingredients: impl Iterator<Item = &'t str>,
    cook_time: Duration,
    slip: &'t Slip,
) -> impl Iterator<Item = String> {
    dish_ingredients.map(move |ing| {
        slip.say(format_args!("Cooking ingredient {ing}..."));
        // Whoever looks on sees it as a part of the dish.
        debug_span!("cook", ingredient = ing).in_scope(|| oven::heat(cook_time));
        format!("Cooked {ing}")
    })
}

/// Seasons and serves each cooked item.
pub fn serve(
    cooked_items: impl Iterator<Item = String>,
    slip: &Slip,
) -> impl Iterator<Item = String> {
    cooked_items.map(move |item| {
        slip.say(format_args!("Seasoning {item}..."));
        format!("Served {item} with a pinch of magic")
    })
}

/// Prepares a dish from the first ingredient to the last: the task that is run in parallel.
///
/// # Errors
/// If the steps could not be told.
///
/// ```
/// use parallel::{Parallel, delayed};
/// use restaurant::kitchen::{Kitchen, ordered_dishes, prepare_dish};
/// use restaurant::{menu::Menu, order::random_orders, output::Telling};
/// use std::time::Duration;
///
/// let menu = Menu::default();
/// let kitchen = Kitchen { telling: Telling::Quiet, cook_time: Duration::from_micros(50) };
/// let tickets = ordered_dishes(random_orders(&menu, 5, 42), &kitchen);
/// for served in Parallel::new(3).run(tickets.map(|ticket| delayed(prepare_dish, ticket)))? {
///     assert!(served.unwrap().line.starts_with("Served "));
/// }
/// # Ok::<(), parallel::Error>(())
/// ```
pub fn prepare_dish(ticket: Ticket) -> Result<Served, Trouble> {
    let Ticket {
        dish,
        cook_time,
        slip,
    } = ticket;
    let watch = Watch::start(cook_time);
    for op in serve(cook(get_ingredients(&dish, &slip), cook_time, &slip), &slip) {
        slip.say(format_args!("{op}"));
    }
    slip.say(format_args!("O- Served {}", dish.name));
    slip.finish()?;
    Ok(Served {
        line: format!("Served {}", dish.name),
        cooking: watch.elapsed(),
    })
}

/// Whether somebody still reads what is told.
struct Audience {
    seen: Option<Instant>,
}

impl Audience {
    /// Looking costs a system call, as much as an order that has little to cook.
    const GLANCE: Duration = Duration::from_millis(1);

    fn new() -> Self {
        Self { seen: None }
    }

    fn listens(&mut self) -> bool {
        if self.seen.is_some_and(|seen| seen.elapsed() < Self::GLANCE) {
            return true;
        }
        self.seen = Some(Instant::now());
        !output::closed()
    }
}
