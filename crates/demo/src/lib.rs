//! 箱根FX (Hakone FX), an invented broker with documented holes, to try the checkpoint on.
//!
//! Never part of the product and **never to be deployed**: see the README beside this crate. The site listens on the
//! loopback interface only, and everybody in its database is invented.

pub mod site;
