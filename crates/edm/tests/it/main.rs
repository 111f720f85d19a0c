//! The scanner against a naive reference, and against planted fields.

mod agree;
mod naive;
mod planted;
mod world;
