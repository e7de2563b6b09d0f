//! An evening: all orders, whatever comes of each.

use std::fmt;
use std::time::{Duration, Instant};

use parallel::{Backend, Delayed, Error, Parallel, TaskError, delayed};

use crate::kitchen::{Kitchen, Served, Ticket, ordered_dishes};
use crate::order::Order;
use crate::output::Trouble;

/// What became of the orders.
#[derive(Debug)]
pub struct Service {
    /// In the order in which they were ordered.
    pub served: Vec<Served>,
    /// Orders that a cook failed at.
    pub spoiled: Vec<Spoiled>,
    /// Why telling about it ended early.
    pub trouble: Option<Trouble>,
    /// From the first order to the last dish.
    pub wall_time: Duration,
}

/// An order that was taken and not served.
#[derive(Debug)]
pub struct Spoiled {
    /// What was ordered.
    pub order: Order,
    /// What happened to the cook.
    pub error: TaskError,
}

impl fmt::Display for Spoiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.error.index() + 1;
        write!(f, "order {number}, {}", self.order.dish.name)?;
        if let Some(customer) = &self.order.customer {
            write!(f, " for {customer}")?;
        }
        write!(f, ", was not served: the {}", self.error)
    }
}

impl Service {
    /// Has every order prepared; `prepare` is [`prepare_dish`](crate::kitchen::prepare_dish) in any
    /// good kitchen.
    ///
    /// # Errors
    /// If the cooks could not work at all. A cook who fails at an order costs that order only.
    ///
    /// ```
    /// use parallel::Parallel;
    /// use restaurant::kitchen::{Kitchen, Served, Ticket};
    /// use restaurant::{menu::Menu, order::random_orders, output, service::Service};
    /// use std::time::Duration;
    ///
    /// fn burn_it(_: Ticket) -> Result<Served, output::Trouble> {
    ///     panic!("the kitchen is on fire")
    /// }
    ///
    /// let menu = Menu::default();
    /// let kitchen = Kitchen { telling: output::Telling::Quiet, cook_time: Duration::ZERO };
    /// let service = Service::run(&Parallel::new(2), &kitchen, burn_it, random_orders(&menu, 3, 42))?;
    /// assert_eq!(service.spoiled.len(), 3);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn run<B, F>(
        parallel: &Parallel<B>,
        kitchen: &Kitchen,
        prepare: F,
        orders: impl Iterator<Item = Order> + Send,
    ) -> Result<Self, Error>
    where
        F: FnOnce(Ticket) -> Result<Served, Trouble> + Copy + Send,
        B: Backend<Delayed<F, Ticket>>,
    {
        let start = Instant::now();
        // An outcome knows no more of its order than the number.
        let mut book = Vec::new();
        let orders = orders.inspect(|order| book.push(order.clone()));
        let tickets = ordered_dishes(orders, kitchen);
        let outcomes = parallel.outcomes(tickets.map(move |ticket| delayed(prepare, ticket)))?;

        let mut service = Self {
            served: Vec::with_capacity(outcomes.len()),
            spoiled: Vec::new(),
            trouble: None,
            wall_time: start.elapsed(),
        };
        for (order, outcome) in book.into_iter().zip(outcomes) {
            match outcome {
                Ok(Ok(served)) => service.served.push(served),
                Ok(Err(trouble)) => service.trouble = Some(trouble),
                Err(error) => service.spoiled.push(Spoiled { order, error }),
            }
        }
        Ok(service)
    }

    /// The time that one cook would have needed: the work of all of them, added up.
    #[must_use]
    pub fn one_cook(&self) -> Duration {
        self.served.iter().map(|served| served.cooking).sum()
    }
}
