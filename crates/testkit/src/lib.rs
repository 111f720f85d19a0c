//! What tests and scenarios stand on: a clock and a disk that the test owns, and synthetic customers.
//!
//! Never part of the product. Nothing here reads the real time or touches a real disk.

pub mod clock;
pub mod disk;
pub mod page;
pub mod people;

pub use clock::SimClock;
pub use disk::{Fault, Gate, Operation, OperationKind, SimDisk};
pub use people::{Person, people};
