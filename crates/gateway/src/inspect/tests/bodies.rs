use super::harness::{HANAKO, Script, Site, Step, now, page, read};
use crate::config::Limits;
use crate::inspect::BodyError;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::StatusCode;
use http_body_util::BodyExt;
use proptest::prelude::*;
use sekisho_model::{Disposition, Inspection, Uninspectable};
use std::io::Write;

fn not(reason: Uninspectable) -> Inspection {
    Inspection::NotInspectable(reason)
}

pub(super) fn encoded(encoding: &str, plain: &[u8]) -> Vec<u8> {
    let level = Compression::default();
    match encoding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory takes all")
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory takes all")
        }
        "deflate, raw" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory takes all")
        }
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
            encoder.write_all(plain).expect("memory takes all");
            encoder.into_inner()
        }
        _ => zstd::encode_all(plain, 3).expect("memory takes all"),
    }
}

pub(super) async fn get(
    site: &Site,
    encoding: &str,
    pieces: &[&[u8]],
) -> http::Response<crate::inspect::InspectedBody<crate::inspect::Reading<Script>>> {
    let mut response = page("text/html; charset=utf-8", Script::streamed(pieces));
    let name = encoding.split(", raw").next().unwrap_or(encoding);
    response.headers_mut().insert("content-encoding", name.parse().expect("a value"));
    site.get(response).await
}

#[tokio::test]
async fn every_encoding_is_taken_off_scanned_and_released_plain() {
    let plain = format!("{}{HANAKO}{}", "前文".repeat(20_000), "後文".repeat(20_000));
    for encoding in ["gzip", "deflate", "deflate, raw", "br", "zstd"] {
        let body = encoded(encoding, plain.as_bytes());
        for pieces in [body.chunks(1).collect::<Vec<_>>(), vec![&body[..]]] {
            let site = Site::new();
            let response = get(&site, encoding, &pieces).await;
            assert!(!response.headers().contains_key("content-encoding"), "{encoding}");
            let (bytes, _, err) = read(response).await;
            assert!(err.is_none(), "{encoding}: {err:?}");
            assert!(bytes == plain.as_bytes(), "{encoding}");
            assert_eq!(site.exposed().len(), 1, "{encoding}");
            assert_eq!(site.end(), (Inspection::Inspected, Disposition::Released, plain.len() as u64));
        }
    }
}

#[tokio::test]
async fn a_broken_encoding_never_looks_complete() {
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let whole = encoded(encoding, &b"0123456789abcdef".repeat(500));
        let site = Site::new();
        let response = get(&site, encoding, &[&whole[..whole.len() - 3]]).await;
        if response.status() == StatusCode::OK {
            assert!(matches!(read(response).await.2, Some(BodyError::Decode(_))), "{encoding}");
        } else {
            assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        }
        let (inspection, disposition, _) = site.end();
        assert_eq!(
            (inspection, disposition),
            (not(Uninspectable::DecodeFailed), Disposition::UpstreamFailed),
            "{encoding}"
        );
    }
}

#[tokio::test]
async fn an_empty_body_is_one_in_any_encoding_and_what_follows_gzip_is_left_out() {
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let (bytes, _, err) = read(get(&Site::new(), encoding, &[]).await).await;
        assert!(err.is_none() && bytes.is_empty(), "{encoding}: {err:?}");
    }
    let member = encoded("gzip", HANAKO.as_bytes());
    for (tail, members) in
        [(&[0; 512][..], 1), (b"\0", 1), (b"\x1f", 1), (&member, 2), (&[&member[..], &[0; 9]].concat(), 2)]
    {
        let body = [&member, tail].concat();
        for pieces in [vec![&body[..]], body.chunks(1).collect()] {
            let site = Site::new();
            let (bytes, _, err) = read(get(&site, "gzip", &pieces).await).await;
            assert!(err.is_none(), "{err:?}");
            assert_eq!(bytes, HANAKO.repeat(members).as_bytes());
            assert_eq!(site.end().0, Inspection::Inspected);
        }
    }
}

#[tokio::test]
async fn beyond_its_bound_a_bomb_passes_decoded_and_says_so() {
    let limits = Limits { decoded_body_bytes_max: 100_000, ..Limits::default() };
    let site = Site::with(&limits);
    let plain = format!("{HANAKO}{}{HANAKO}", " ".repeat(3_000_000));
    let body = encoded("gzip", plain.as_bytes());
    let (bytes, _, err) = read(get(&site, "gzip", &[&body]).await).await;
    assert!(err.is_none());
    assert!(bytes == plain.as_bytes());
    assert_eq!(site.exposed().len(), 1, "what was before the bound is recorded");
    assert_eq!(site.end(), (not(Uninspectable::DecodeLimit), Disposition::Released, plain.len() as u64));
}

#[tokio::test]
async fn an_unknown_encoding_passes_as_it_is_and_what_it_holds_in_clear_is_recorded() {
    for encoding in ["compress", "gzip, br"] {
        let site = Site::new();
        let response = get(&site, encoding, &[HANAKO.as_bytes()]).await;
        assert_eq!(response.headers()["content-encoding"], encoding);
        assert_eq!(read(response).await.0, HANAKO.as_bytes());
        assert_eq!(site.end().0, not(Uninspectable::ContentEncoding));
        assert_eq!(site.exposed().len(), 1);
    }
}

/// What is recorded of a body that is sent whole, and of one that is sent byte for byte.
async fn found(media: &str, body: &[u8]) -> (usize, Inspection) {
    let mut results = Vec::new();
    for pieces in [vec![body], body.chunks(1).collect()] {
        let site = Site::new();
        let (bytes, _, err) = read(site.get(page(media, Script::streamed(&pieces))).await).await;
        assert!(err.is_none() && bytes == body, "{media}");
        let subjects: std::collections::HashSet<u32> = site.exposed().into_iter().map(|(id, ..)| id).collect();
        results.push((subjects.len(), site.end().0));
    }
    assert_eq!(results[0], results[1], "{media}: pieces");
    results[0]
}

#[tokio::test]
async fn sco_1_no_character_set_hides_what_another_reader_sees() {
    let both = b"note\n\x1b$B\nhanako@example.jp\ntaro@example.jp\n";
    let marked = [&b"\xff\xfe"[..], both].concat();
    let shifted = [&b"<meta charset=iso-2022-jp>\x1b$B"[..], both].concat();
    // A mark of UTF-16 in front of an odd number of bytes is malformed however it is read.
    let charset = not(Uninspectable::Charset);
    for (media, body, inspection) in [
        ("text/csv", &both[..], Inspection::Inspected),
        ("application/json; charset=iso-2022-jp", both, Inspection::Inspected),
        ("text/html", &shifted, Inspection::Inspected),
        ("text/html; charset=utf-16le", both, Inspection::Inspected),
        ("text/html; charset=utf-16be", both, Inspection::Inspected),
        ("text/plain", &marked, charset),
        ("text/plain; charset=shift_jis", &marked, charset),
    ] {
        assert_eq!(found(media, body).await, (2, inspection), "{media}");
    }
}

#[tokio::test]
async fn a_container_or_a_set_without_a_reader_that_is_declared_as_text_is_read_all_the_same() {
    let (container, charset) = (not(Uninspectable::Container), not(Uninspectable::Charset));
    for (media, body, inspection) in [
        ("text/csv", &b"Rar!,mail\n1,hanako@example.jp\n"[..], container),
        ("text/plain", b"%PDF-1.7 hanako@example.jp", container),
        ("application/json", b"PK\x03\x04 hanako@example.jp", container),
        ("text/plain", b"BZh91AY&SY hanako@example.jp", container),
        ("text/html; charset=utf-7", HANAKO.as_bytes(), charset),
        ("text/html; charset=gbk", HANAKO.as_bytes(), charset),
        ("text/html; charset=foo", HANAKO.as_bytes(), charset),
        ("text/html", b"<meta charset=foo> hanako@example.jp", charset),
    ] {
        assert_eq!(found(media, body).await, (1, inspection), "{media}");
    }
}

#[tokio::test]
async fn bytes_that_are_none_of_the_body_s_character_set_are_told() {
    let (sjis, ..) = encoding_rs::SHIFT_JIS.encode(HANAKO);
    let late = [" ".repeat(2_000).as_bytes(), &sjis].concat();
    let replaced = format!("\u{fffd} {HANAKO}");
    for (media, body, inspection) in [
        ("text/html; charset=UTF-8", &sjis[..], not(Uninspectable::Charset)),
        ("text/html", &late, not(Uninspectable::Charset)),
        ("text/html; charset=shift_jis", HANAKO.as_bytes(), not(Uninspectable::Charset)),
        ("text/html; charset=shift_jis", &sjis, Inspection::Inspected),
        ("text/html; charset=UTF-8", HANAKO.as_bytes(), Inspection::Inspected),
        ("text/html; charset=UTF-8", replaced.as_bytes(), Inspection::Inspected),
    ] {
        assert_eq!(found(media, body).await, (1, inspection), "{media}");
    }
}

#[tokio::test]
async fn the_type_and_the_first_bytes_decide() {
    let text = HANAKO.as_bytes();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let (sjis, ..) = encoding_rs::SHIFT_JIS.encode(HANAKO);
    let (euc, ..) = encoding_rs::EUC_JP.encode(HANAKO);
    let (jis, ..) = encoding_rs::ISO_2022_JP.encode(HANAKO);
    let utf16: Vec<u8> = "\u{feff}".encode_utf16().chain(HANAKO.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let meta = encoding_rs::SHIFT_JIS.encode(&format!("<html><META charset='Shift_JIS'>{HANAKO}")).0.into_owned();
    let cases: [(&str, &[u8], Inspection); 19] = [
        ("text/html", text, Inspection::Inspected),
        ("text/csv", text, Inspection::Inspected),
        ("application/json", text, Inspection::Inspected),
        ("application/problem+json; charset=UTF-8", text, Inspection::Inspected),
        ("image/svg+xml", text, Inspection::Inspected),
        ("application/x-ndjson", text, Inspection::Inspected),
        ("application/octet-stream", text, Inspection::Inspected),
        ("", text, Inspection::Inspected),
        ("image/png", text, Inspection::Inspected),
        ("image/png", png, not(Uninspectable::ContentType)),
        ("", png, not(Uninspectable::ContentType)),
        ("application/zip", b"PK\x03\x04....", not(Uninspectable::Container)),
        ("text/plain", b"PK\x03\x04....", not(Uninspectable::Container)),
        ("application/pdf", b"%PDF-1.7 hanako@example.jp", not(Uninspectable::Container)),
        ("text/csv", &sjis, Inspection::Inspected),
        ("text/csv", &euc, Inspection::Inspected),
        ("text/plain", &jis, Inspection::Inspected),
        ("text/plain", &utf16, Inspection::Inspected),
        ("text/html", &meta, Inspection::Inspected),
    ];
    for (media, body, inspection) in cases {
        let site = Site::new();
        let (bytes, _, err) = read(site.get(page(media, Script::sized(&[body]))).await).await;
        assert!(err.is_none());
        assert_eq!(bytes, body, "{media}");
        assert_eq!(site.end(), (inspection, Disposition::Released, body.len() as u64), "{media}");
        assert_eq!(site.exposed().len(), usize::from(inspection == Inspection::Inspected), "{media}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_stream_is_flushed_and_says_so() {
    let site = Site::new();
    let body = Script::streamed(&[b"progress: hanako@example.jp"]).then(Step::Idle);
    let mut body = site.get(page("text/plain; charset=utf-8", body)).await.into_body();
    let frame = body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
    assert_eq!(&frame[..], b"progress: hanako@example.jp");
    assert_eq!(site.exposed().len(), 1);
    drop(body);
    assert_eq!(site.end(), (not(Uninspectable::IdleFlush), Disposition::ClientGone, 27));
}

#[tokio::test]
async fn a_semaphore_smaller_than_a_piece_still_lets_bodies_through() {
    let site = Site::with(&Limits { held_bytes_max: 10, ..Limits::default() });
    let plain = HANAKO.repeat(5_000);
    let pieces: Vec<&[u8]> = plain.as_bytes().chunks(7_000).collect();
    let one = async { read(site.get(page("text/html", Script::streamed(&pieces))).await).await };
    let two = async { read(site.get(page("text/html", Script::streamed(&pieces))).await).await };
    let (one, two) = tokio::join!(one, two);
    assert!(one.0 == plain.as_bytes() && two.0 == plain.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_finds_no_room_in_time_is_503_and_one_that_has_begun_is_broken_off() {
    let site = Site::with(&Limits { held_bytes_max: 10, ..Limits::default() });
    let plain = HANAKO.repeat(2_000);
    let late = Script::streamed(&[plain.as_bytes()]).then(Step::Late).then(Step::Data(plain.clone().into()));
    let mut begun = site.get(page("text/html", late)).await.into_body();
    // Until it waits for its upstream, and holds nothing.
    while now(&mut Box::pin(begun.frame())).await.is_some() {}
    // Nobody reads it: it holds what it has read.
    let hoard = site.get(page("text/html", Script::streamed(&[plain.as_bytes()]))).await;

    let refused = site.get(page("text/html", Script::streamed(&[plain.as_bytes()]))).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "5");
    let mut end = begun.frame().await;
    while let Some(Ok(_)) = end {
        end = begun.frame().await;
    }
    assert!(matches!(end, Some(Err(BodyError::Held))), "{end:?}");
    assert_eq!(site.inspector.counters().held_too_long.value(), 2);

    drop(hoard);
    let (bytes, _, err) = read(site.get(page("text/html", Script::streamed(&[plain.as_bytes()]))).await).await;
    assert!(err.is_none() && bytes == plain.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn edm_1_cutting_a_body_changes_neither_bytes_nor_findings(cuts in prop::collection::vec(1usize..400, 1..60), sized: bool) {
        let plain = format!("{}{HANAKO}{}taro@example.jp 03-5555-0102{}", "あ".repeat(300), "x ".repeat(700), "-".repeat(90));
        let mut pieces = Vec::new();
        let mut rest = plain.as_bytes();
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            if !piece.is_empty() {
                pieces.push(piece);
            }
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(rest);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let site = Site::new();
            let script = if sized { Script::sized(&pieces) } else { Script::streamed(&pieces) };
            let (bytes, _, err) = read(site.get(page("text/html", script)).await).await;
            assert!(err.is_none());
            assert!(bytes == plain.as_bytes());
            let mut fields = std::collections::BTreeMap::<u32, u64>::new();
            for (subject, counted, _) in site.exposed() {
                *fields.entry(subject).or_default() |= counted.0;
            }
            let mut sets: Vec<u64> = fields.into_values().collect();
            sets.sort_unstable();
            assert_eq!(sets, [0b010, 0b110]);
            assert_eq!(site.end(), (Inspection::Inspected, Disposition::Released, plain.len() as u64));
        });
    }
}
