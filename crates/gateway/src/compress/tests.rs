use super::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::rc::Rc;
use std::task::Waker;

fn accepted(value: &'static str) -> Option<Encoding> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
    Encoding::accepted(&headers)
}

#[test]
fn the_clients_weights_decide_and_ours_between_equals() {
    assert_eq!(accepted("gzip, deflate, br, zstd"), Some(Encoding::Zstd));
    assert_eq!(accepted("gzip;q=1.0, br;q=0.5"), Some(Encoding::Gzip));
    assert_eq!(accepted("br; q=0.001"), Some(Encoding::Brotli));
    assert_eq!(accepted("GZIP"), Some(Encoding::Gzip));
    assert_eq!(accepted("*;q=0.1, zstd;q=0"), Some(Encoding::Brotli));
    assert_eq!(accepted("identity"), None);
    assert_eq!(accepted("gzip;q=0, br;q=x"), None);
    assert_eq!(Encoding::accepted(&HeaderMap::new()), None);
}

fn head(lines: &[(&'static str, &'static str)]) -> response::Parts {
    let mut response = http::Response::builder();
    for (name, value) in lines {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap().into_parts().0
}

#[test]
fn only_long_plain_text_is_compressed() {
    let text = ("content-type", "Text/HTML; charset=utf-8");
    assert!(is_eligible(&head(&[text]), Some(1024)));
    assert!(is_eligible(&head(&[text]), None));
    assert!(!is_eligible(&head(&[text]), Some(1023)));
    assert!(is_eligible(&head(&[("content-type", "application/problem+json")]), None));
    assert!(!is_eligible(&head(&[("content-type", "image/png")]), None));
    assert!(!is_eligible(&head(&[]), None));
    assert!(!is_eligible(&head(&[text, ("content-encoding", "gzip")]), None));
    assert!(!is_eligible(&head(&[text, ("cache-control", "public, No-Transform")]), None));
}

#[test]
fn a_compressed_head_promises_no_bytes_of_the_upstream() {
    let mut head = head(&[("content-length", "9"), ("etag", "\"a\""), ("accept-ranges", "bytes"), ("vary", "cookie")]);
    vary(&mut head);
    encode_head(&mut head, Encoding::Brotli);
    let mut left: Vec<_> = head.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
    left.sort();
    assert_eq!(left, ["content-encoding: br", "etag: W/\"a\"", "vary: Accept-Encoding", "vary: cookie"]);
}

fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        Encoding::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap()),
        Encoding::Brotli => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).unwrap()),
        Encoding::Zstd => drop(zstd::stream::read::Decoder::new(bytes).unwrap().read_to_end(&mut out).unwrap()),
    }
    out
}

/// A body whose parts the test hands over one by one; `None` ends it.
#[derive(Clone, Default)]
struct Parts(Rc<RefCell<VecDeque<Option<Bytes>>>>);

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.borrow_mut().pop_front() {
            Some(part) => Poll::Ready(part.map(|data| Ok(Frame::data(data)))),
            None => Poll::Pending,
        }
    }
}

#[test]
fn an_event_comes_out_when_the_stream_falls_silent() {
    for encoding in Encoding::ALL {
        let parts = Parts::default();
        let mut body = Compressed::new(parts.clone(), encoding).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut received = Vec::new();
        for event in ["data: 1\n\n", "data: 二\n\n"] {
            parts.0.borrow_mut().push_back(Some(Bytes::from(event)));
            let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else {
                panic!("{encoding:?} keeps `{event}`")
            };
            received.extend_from_slice(&frame.into_data().unwrap());
            assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
        }
        parts.0.borrow_mut().push_back(None);
        let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else { panic!("no end") };
        received.extend_from_slice(&frame.into_data().unwrap());
        assert!(matches!(Pin::new(&mut body).poll_frame(&mut cx), Poll::Ready(None)));
        assert_eq!(decoded(encoding, &received), "data: 1\n\ndata: 二\n\n".as_bytes());
    }
}

#[test]
fn every_encoding_gives_back_what_went_in() {
    let text: Vec<u8> = (0..50_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for encoding in Encoding::ALL {
        let parts = Parts::default();
        parts.0.borrow_mut().extend(text.chunks(7000).map(|part| Some(Bytes::copy_from_slice(part))).chain([None]));
        let mut body = Compressed::new(parts, encoding).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut received = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
            received.extend_from_slice(&frame.into_data().unwrap());
        }
        assert_eq!(decoded(encoding, &received), text, "{encoding:?}");
    }
}
