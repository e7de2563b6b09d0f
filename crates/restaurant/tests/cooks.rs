//! Cooks who fail at an order: it costs that order only.

use std::time::Duration;

use parallel::{Backend, Delayed, Parallel, Processes, Sequential, Threads};
use restaurant::kitchen::{Kitchen, Served, Ticket, prepare_dish};
use restaurant::menu::Menu;
use restaurant::order::WrittenOrders;
use restaurant::output::{Telling, Trouble};
use restaurant::service::Service;

const KITCHEN: Kitchen = Kitchen {
    telling: Telling::Quiet,
    cook_time: Duration::ZERO,
};

fn allergic_to_pizza(ticket: Ticket) -> Result<Served, Trouble> {
    assert_ne!(ticket.dish().name, "Pizza", "I am allergic");
    prepare_dish(ticket)
}

fn faints_at_pizza(ticket: Ticket) -> Result<Served, Trouble> {
    if ticket.dish().name == "Pizza" {
        std::process::abort();
    }
    prepare_dish(ticket)
}

fn evening<B, F>(backend: B, prepare: F) -> Service
where
    F: FnOnce(Ticket) -> Result<Served, Trouble> + Copy + Send,
    B: Backend<Delayed<F, Ticket>>,
{
    let menu = Menu::default();
    let orders = "Salad\nAda, Pizza\nSpaghetti\nPizza\nSalad\n".as_bytes();
    let orders = WrittenOrders::new(orders, "orders", &menu).map(Result::unwrap);
    Service::run(
        &Parallel::new(2).backend(backend),
        &KITCHEN,
        prepare,
        orders,
    )
    .unwrap()
}

fn check(service: &Service, why: &str) {
    let served: Vec<_> = service
        .served
        .iter()
        .map(|dish| dish.line.as_str())
        .collect();
    assert_eq!(served, ["Served Salad", "Served Spaghetti", "Served Salad"]);
    let spoiled: Vec<_> = service.spoiled.iter().map(ToString::to_string).collect();
    assert_eq!(spoiled.len(), 2, "{spoiled:?}");
    assert!(
        spoiled[0].starts_with("order 2, Pizza for Ada, was not served: the task 1 "),
        "{spoiled:?}"
    );
    assert!(
        spoiled[1].starts_with("order 4, Pizza, was not served: the task 3 "),
        "{spoiled:?}"
    );
    assert!(spoiled.iter().all(|told| told.contains(why)), "{spoiled:?}");
}

#[test]
fn a_panic_costs_one_order() {
    check(
        &evening(Sequential::new(), allergic_to_pizza),
        "I am allergic",
    );
    check(&evening(Threads::new(), allergic_to_pizza), "I am allergic");
    check(
        &evening(Processes::new(), allergic_to_pizza),
        "I am allergic",
    );
}

#[test]
fn a_dead_cook_costs_one_order() {
    check(&evening(Processes::new(), faints_at_pizza), "SIGABRT");
}
