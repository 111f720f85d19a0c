use super::*;
use std::future::poll_fn;

const SECOND: Duration = Duration::from_secs(1);

/// A body of which one part of so many bytes comes after each such wait; when and why it ends, if it does within an hour.
async fn end(bytes: usize, every: Duration) -> Option<(Duration, UploadError)> {
    let mut patience = Patience::new(30 * SECOND, 500);
    let begun = Instant::now();
    while begun.elapsed() < 3600 * SECOND {
        match tokio::time::timeout(every, poll_fn(|cx| patience.poll_wait(cx))).await {
            Ok(end) => return Some((begun.elapsed(), end)),
            Err(_came) => patience.goes_on(bytes),
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_ends_and_a_slow_one_goes_on() {
    assert_eq!(end(1, 60 * SECOND).await, Some((30 * SECOND, UploadError::Idle)));
    let (at, why) = end(1, 2 * SECOND).await.expect("one byte every two seconds is no upload");
    assert_eq!((at.as_secs(), why), (30, UploadError::Slow));
    let (at, why) = end(5_200, 20 * SECOND).await.expect("260 bytes a second are half of what is wanted");
    assert_eq!((at.as_secs(), why), (50, UploadError::Slow), "two parts were worth 20.8 s");
    assert_eq!(end(10_001, 20 * SECOND).await, None, "500 bytes a second are enough");
}

#[tokio::test(start_paused = true)]
async fn the_time_that_the_upstream_takes_is_not_the_client_s() {
    let mut patience = Patience::new(30 * SECOND, 500);
    for _ in 0..100 {
        patience.goes_on(1);
        tokio::time::advance(10 * SECOND).await;
    }
    assert_eq!(patience.waited, Duration::ZERO);
}
