//! The restaurant of the article *Cooking in parallel*: orders come in, three cooks prepare the
//! dishes at once, and every step is told.
//!
//! The steps are the article's functions, chained lazily like its generators; see [`kitchen`]. Where
//! the cooks work, on threads or in processes of their own, is one line.
//!
//! ```
//! use parallel::Parallel;
//! use restaurant::kitchen::{Kitchen, prepare_dish};
//! use restaurant::menu::Menu;
//! use restaurant::order::random_orders;
//! use restaurant::output::Telling;
//! use restaurant::service::Service;
//! use std::time::Duration;
//!
//! let menu = Menu::default();
//! let kitchen = Kitchen { telling: Telling::Quiet, cook_time: Duration::ZERO };
//! let orders = random_orders(&menu, 10, 42);
//! let service = Service::run(&Parallel::new(3), &kitchen, prepare_dish, orders)?;
//! assert_eq!(service.served.len(), 10);
//! # Ok::<(), parallel::Error>(())
//! ```

pub mod fault;
pub mod kitchen;
pub mod menu;
mod menu_file;
pub mod order;
pub mod output;
pub mod oven;
pub mod service;
