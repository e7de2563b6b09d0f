//! Those who want to see the kitchen at work: a report in a file, a page for a browser, a trace.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use parallel::{Parallel, Processes, Report, SpanLayer, Trace};
use restaurant::menu::Dish;
use restaurant::order::Order;
use tracing::Level;
use tracing_subscriber::prelude::*;

use crate::cli::Evening;
use crate::{Refusal, complain};

/// What was ordered, in the order of the orders: what the blocks of the report are called.
#[derive(Clone, Default)]
struct OrderBook(Arc<Mutex<Vec<Arc<Dish>>>>);

impl OrderBook {
    fn name(&self, index: usize) -> String {
        let dishes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dishes
            .get(index)
            .map_or_else(String::new, |dish| dish.name.clone())
    }

    fn note(&self, order: &Order) {
        let mut dishes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dishes.push(Arc::clone(&order.dish));
    }
}

/// All that look on, of which there may be none.
pub(crate) struct Onlookers {
    reports: Vec<Report>,
    trace: Option<Trace>,
    book: OrderBook,
}

impl Onlookers {
    /// Lets them in, or says why they cannot come.
    pub(crate) fn invite(evening: &Evening) -> Result<Self, Refusal> {
        let book = OrderBook::default();
        let mut reports = Vec::new();
        if let Some(path) = &evening.report {
            let report = Report::html(path).map_err(|error| format!("--report: {error}"))?;
            reports.push(report);
        }
        if let Some(address) = evening.watch {
            let report = Report::serve(address).map_err(|error| format!("--watch: {error}"))?;
            if let Some(address) = report.local_addr() {
                complain(format_args!("the kitchen can be seen at http://{address}/"));
            }
            reports.push(report);
        }
        let trace = evening.trace.as_ref().map(Trace::chrome).transpose();
        let trace = trace.map_err(|error| error.to_string())?;
        if trace.is_some() || !reports.is_empty() {
            // They see what becomes of each ingredient, too.
            tracing_subscriber::registry().with(SpanLayer::new()).init();
        }
        let in_kitchen_terms = |report: Report| {
            let book = book.clone();
            report
                .title("The kitchen")
                .label(move |index| book.name(index))
                .worker_label(|worker| format!("Cook {}", worker + 1))
        };
        Ok(Self {
            reports: reports.into_iter().map(in_kitchen_terms).collect(),
            trace,
            book,
        })
    }

    /// Worker processes in which they see as much as here.
    pub(crate) fn processes(&self) -> Processes {
        if self.trace.is_some() || !self.reports.is_empty() {
            Processes::new().tracing(Level::DEBUG)
        } else {
            Processes::new()
        }
    }

    /// The trace, if there is one.
    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// The orders, noted down for the reports if there are any.
    pub(crate) fn note<I: Iterator<Item = Order> + Send>(
        &self,
        orders: I,
    ) -> impl Iterator<Item = Order> + Send + use<I> {
        let book = (!self.reports.is_empty()).then(|| self.book.clone());
        orders.inspect(move |order| {
            if let Some(book) = &book {
                book.note(order);
            }
        })
    }

    /// Shows them these cooks.
    pub(crate) fn watch(&mut self, cooks: Parallel) -> Parallel {
        let cooks = self.reports.drain(..).fold(cooks, Parallel::observer);
        match &self.trace {
            Some(trace) => cooks.observer(trace.clone()),
            None => cooks,
        }
    }
}

/// An address of this machine, as 127.0.0.1:8787.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "write an address and a port, as in 127.0.0.1:8787".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("others could look in there: take 127.0.0.1 or [::1]".to_owned())
    }
}
