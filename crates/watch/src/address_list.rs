//! Addresses as people write them: on the command line, or one a line in a file.

use crate::Error;
use url::Url;

/// Bytes of an address; a longer one is refused.
pub(crate) const URL_BYTES_MAX: usize = 2_048;

/// An address in the one form under which it is watched.
pub fn parse_url(text: &str) -> Result<String, Error> {
    let refuse = |reason: &str| Error::Url { url: text.to_owned(), reason: reason.to_owned() };
    if text.len() > URL_BYTES_MAX {
        return Err(refuse("it is too long"));
    }
    let mut url =
        Url::parse(text.trim()).map_err(|err| refuse(&format!("{err}; write https://example.jp/news/1.html")))?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err(refuse("it is no http or https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a name or password, which would be archived"));
    }
    url.set_fragment(None);
    Ok(url.into())
}

/// The addresses in a list: one a line, `#` begins a comment line.
pub fn parse_list(text: &str) -> Result<Vec<String>, Error> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(parse_url).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_one_address_a_line() {
        let list = parse_list("# brokers\nhttps://例え.jp/お知らせ#top\r\n\n http://EXAMPLE.com \n").expect("good");
        assert_eq!(list, ["https://xn--r8jz45g.jp/%E3%81%8A%E7%9F%A5%E3%82%89%E3%81%9B", "http://example.com/"]);
        for bad in ["example.com", "ftp://example.com/", "https://a:b@example.com/", "mailto:a@example.com"] {
            assert!(parse_list(bad).is_err(), "{bad}");
        }
    }
}
