//! The page as a browser sees it: requests into the router, on a clock that the test owns. The answers' beats run on
//! tokio's paused clock, so that no test waits.

mod page;
mod readme;
