//! Raw captures: what one connection sent and received.

use std::path::Path;

/// One request and its answer, as bytes on the wire.
pub(crate) struct Exchange {
    pub(crate) request: Vec<u8>,
    pub(crate) response: Vec<u8>,
}

/// Every pair of the directory, by number.
pub(crate) fn read(dir: &Path) -> Result<Vec<Exchange>, String> {
    let failed = |path: &Path, err: std::io::Error| format!("cannot read `{}`: {err}", path.display());
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|err| failed(dir, err))? {
        let name = entry.map_err(|err| failed(dir, err))?.file_name();
        if let Some(number) = name.to_str().and_then(|name| name.strip_suffix(".request")?.parse::<u64>().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    let file = |number: u64, kind: &str| {
        let path = dir.join(format!("{number}.{kind}"));
        std::fs::read(&path).map_err(|err| failed(&path, err))
    };
    numbers
        .into_iter()
        .map(|number| Ok(Exchange { request: file(number, "request")?, response: file(number, "response")? }))
        .collect()
}

/// The head's lines in lower case, and the body with its transfer coding undone.
pub(crate) fn parse(message: &[u8]) -> Result<(String, Vec<u8>), String> {
    let end =
        message.windows(4).position(|window| window == b"\r\n\r\n").ok_or("a message without the end of its head")?;
    let head = String::from_utf8_lossy(&message[..end]).to_ascii_lowercase();
    let body = &message[end + 4..];
    match head.lines().any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked")) {
        true => Ok((head, unchunk(body))),
        false => Ok((head, body.to_vec())),
    }
}

/// Joins the chunks that are there; a capture that was cut off ends with what came.
fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut joined = Vec::new();
    while let Some(line_end) = body.windows(2).position(|window| window == b"\r\n") {
        let line = String::from_utf8_lossy(&body[..line_end]);
        let size = line.split(';').next().and_then(|size| usize::from_str_radix(size.trim(), 16).ok()).unwrap_or(0);
        let data = &body[line_end + 2..];
        if size == 0 {
            break;
        }
        joined.extend_from_slice(&data[..size.min(data.len())]);
        body = data.get(size + 2..).unwrap_or(&[]);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        let message = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n";
        assert_eq!(parse(message).unwrap().1, b"abcde");
    }

    #[test]
    fn a_capture_cut_in_a_chunk_keeps_what_came() {
        let message = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc";
        assert_eq!(parse(message).unwrap().1, b"abc");
    }
}
