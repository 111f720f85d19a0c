//! The application behind the gateway: page `n` shows the customers that no other page shows. Some pages come whole,
//! some in chunks with much text between the customers, so that a kill meets them half released.

use super::Field;
use crate::customers;
use anyhow::Result;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Customers on one page.
pub(super) const CUSTOMERS_PER_PAGE: u64 = 4;
/// Text between two customers of a long page.
const FILLER_BYTES: usize = 24 * 1024;

/// Serves until the task ends.
pub(super) fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // A gateway that was killed ends its connections: that is what this is for.
            std::thread::spawn(move || drop(serve(connection)));
        }
    });
    Ok(address)
}

fn serve(mut connection: TcpStream) -> Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    while let Some(line) = lines.next() {
        let target = line?.split(' ').nth(1).unwrap_or("/").to_owned();
        while !lines.next().transpose()?.unwrap_or_default().is_empty() {}
        let page = target.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        connection.write_all(&response(page))?;
    }
    Ok(())
}

/// Every third page is long and chunked.
fn response(page: u64) -> Vec<u8> {
    let first = page * CUSTOMERS_PER_PAGE;
    let rows = (first..first + CUSTOMERS_PER_PAGE).map(row);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n";
    if !page.is_multiple_of(3) {
        let body: String = rows.collect();
        return format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
    }
    let filler = "お知らせ ".repeat(FILLER_BYTES / 13);
    let mut response = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in rows.flat_map(|row| [row, filler.clone()]) {
        response.extend(format!("{:x}\r\n{chunk}\r\n", chunk.len()).into_bytes());
    }
    response.extend(b"0\r\n\r\n");
    response
}

fn row(number: u64) -> String {
    let [id, name, _, email, _] = customers::customer(number);
    format!("<tr><td>{id}</td><td>{name}</td><td>{email}</td></tr>\n")
}

/// The customers whose values stand whole in received bytes. Plain on purpose: it must be right by looking at it.
pub(super) fn customers_in(bytes: &[u8]) -> BTreeSet<(u64, Field)> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = BTreeSet::new();
    for cell in text.split("<td>").skip(1) {
        let Some((value, _)) = cell.split_once("</td>") else { continue };
        if let Some(number) = value.strip_prefix("HK-").and_then(|digits| digits.parse::<u64>().ok()) {
            found.insert((number - 10_000_000, Field::AccountId));
        } else if let Some(local) = value.strip_suffix("@example.jp") {
            let digits = local.trim_start_matches(|c: char| !c.is_ascii_digit());
            found.extend(digits.parse().map(|number| (number, Field::Email)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_are_found_in_what_was_received_and_no_others() {
        let whole = response(2);
        assert_eq!(customers_in(&whole).len(), 2 * usize::try_from(CUSTOMERS_PER_PAGE).expect("small"));
        assert!(customers_in(&whole).contains(&(8, Field::AccountId)));
        let cut = whole.len() - 60;
        assert_eq!(customers_in(&whole[..cut]).len(), 7, "the last mail is cut");
        assert!(customers_in(b"HTTP/1.1 200 OK\r\n\r\n<td>HK-1").is_empty());
    }
}
