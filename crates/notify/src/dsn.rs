//! Delivery status notifications (RFC 3464), as relays and receivers send them back: which of our mails did not arrive.
//!
//! Reads what is known to be said by them, wherever it stands: the `message/delivery-status` part and the returned
//! mail's Message-ID, which is ours. Recipients' addresses are not read: forwarding changes them, and nobody needs them.
//! A report that names none of our mails is no report about us. Pure.

/// The most bytes of one report; more is cut off, which leaves what matters: it stands in front.
pub const REPORT_BYTES_MAX: usize = 1024 * 1024;
/// Nested parts that are read.
const DEPTH_MAX: usize = 6;

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It will not arrive.
    Failed,
    /// It is still tried.
    Delayed,
    /// It arrived, or was handed on to where no reports come from.
    Delivered,
}

/// What one report says of one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The Message-IDs that it holds, with their angle brackets, the returned mail's among them.
    pub message_ids: Vec<String>,
    /// What became of it.
    pub action: Action,
    /// The enhanced status, such as `5.1.1`.
    pub status: Option<String>,
}

/// The mails of an mbox file; another file is one mail.
#[must_use]
pub fn mails(file: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(file).replace("\r\n", "\n");
    if !text.starts_with("From ") {
        return vec![text];
    }
    let mut mails: Vec<String> = Vec::new();
    let mut after_empty = true;
    for line in text.split_inclusive('\n') {
        if after_empty && line.starts_with("From ") {
            mails.push(String::new());
        } else if let Some(mail) = mails.last_mut() {
            mail.push_str(line);
        }
        after_empty = line == "\n";
    }
    mails
}

/// Reads one mail; `None` when it is no report.
#[must_use]
pub fn read(mail: &str) -> Option<Report> {
    let mut end = mail.len().min(REPORT_BYTES_MAX);
    while !mail.is_char_boundary(end) {
        end -= 1;
    }
    let mut found = Found::default();
    part(&mail[..end].replace("\r\n", "\n"), 0, &mut found);
    let action = found.action?;
    (!found.message_ids.is_empty()).then_some(Report { message_ids: found.message_ids, action, status: found.status })
}

#[derive(Default)]
struct Found {
    action: Option<Action>,
    status: Option<String>,
    message_ids: Vec<String>,
}

fn part(text: &str, depth: usize, found: &mut Found) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let headers = headers(head);
    let kind = value(&headers, "content-type").unwrap_or("text/plain");
    let media = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match media.as_str() {
        _ if depth > DEPTH_MAX => {}
        kind_of if kind_of.starts_with("multipart/") => {
            let Some(boundary) = parameter(kind, "boundary") else { return };
            parts(body, &boundary).into_iter().for_each(|inner| part(&inner, depth + 1, found));
        }
        "message/delivery-status" | "message/global-delivery-status" => status(body, found),
        "message/rfc822"
        | "text/rfc822-headers"
        | "message/global"
        | "message/global-headers"
        | "message/rfc822-headers" => {
            let head = body.trim_start_matches('\n').split("\n\n").next().unwrap_or("");
            note_ids(&self::headers(head), "message-id", found);
        }
        _ => {}
    }
    if depth == 0 {
        // Exim and some gateways name the mail in the report's own head only.
        note_ids(&headers, "in-reply-to", found);
        note_ids(&headers, "references", found);
        note_ids(&headers, "x-original-message-id", found);
    }
}

/// The groups of a delivery status: one of the mail, one of each recipient.
fn status(body: &str, found: &mut Found) {
    for group in body.split("\n\n") {
        let fields = headers(group);
        note_ids(&fields, "original-message-id", found);
        note_ids(&fields, "x-original-message-id", found);
        let action = match value(&fields, "action").map(|action| action.trim().to_ascii_lowercase()).as_deref() {
            Some("failed") => Action::Failed,
            Some("delayed") => Action::Delayed,
            Some("delivered" | "relayed" | "expanded") => Action::Delivered,
            _ => continue,
        };
        // Our mails have one recipient. Where a list made more of it, one failure is one.
        if found.action != Some(Action::Failed) {
            found.action = Some(action);
            let status = value(&fields, "status").and_then(|status| status.split_whitespace().next());
            found.status = status.filter(|status| is_enhanced_status(status)).map(str::to_owned);
        }
    }
}

/// Three numbers (RFC 3463). Whoever writes a report may write anything else there, an address too: that is not kept.
pub(crate) fn is_enhanced_status(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn note_ids(headers: &[(String, String)], name: &str, found: &mut Found) {
    for (_, value) in headers.iter().filter(|(known, _)| known == name) {
        for id in value.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(id, _)| id)) {
            let id = format!("<{}>", id.trim());
            if !found.message_ids.contains(&id) {
                found.message_ids.push(id);
            }
        }
    }
}

fn headers(head: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        match (line.starts_with([' ', '\t']), line.split_once(':'), headers.last_mut()) {
            (true, _, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (false, Some((name, value)), _) => {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            _ => {}
        }
    }
    headers
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn parameter(value: &str, name: &str) -> Option<String> {
    let found = value.split(';').skip(1).filter_map(|part| part.split_once('='));
    let (_, value) = found.into_iter().find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"').to_owned())
}

fn parts(body: &str, boundary: &str) -> Vec<String> {
    let (begin, end) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mut parts: Vec<String> = Vec::new();
    for line in body.split_inclusive('\n') {
        match line.trim_end() {
            mark if mark == end => break,
            mark if mark == begin => parts.push(String::new()),
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push_str(line);
                }
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mail: &str, expected: &str) {
        let told = match read(mail) {
            Some(report) => {
                format!("{:?} {} {}", report.action, report.status.unwrap_or_default(), report.message_ids.join(" "))
            }
            None => "no report".to_owned(),
        };
        assert_eq!(told, expected);
    }

    const POSTFIX: &str = "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.jp (Mail Delivery System)\r\nSubject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"4XyZ.1795/mx.example.jp\"\r\nMessage-Id: <20261123000000.4XyZ@mx.example.jp>\r\n\r\nThis is a MIME-encapsulated message.\r\n\r\n--4XyZ.1795/mx.example.jp\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n<taro@example.jp>: host mx said: 550 5.1.1 unknown\r\n\r\n--4XyZ.1795/mx.example.jp\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.jp\r\nArrival-Date: Mon, 23 Nov 2026 09:00:00 +0900\r\n\r\nFinal-Recipient: rfc822; taro@example.jp\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 unknown\r\n\r\n--4XyZ.1795/mx.example.jp\r\nContent-Type: message/rfc822\r\n\r\nFrom: notice@hakonefx.example\r\nMessage-ID: <0011@hakonefx.example>\r\nSubject: x\r\n\r\nbody\r\n--4XyZ.1795/mx.example.jp--\r\n";

    #[test]
    fn a_postfix_report_names_the_returned_mail() {
        check(POSTFIX, "Failed 5.1.1 <0011@hakonefx.example>");
    }

    #[test]
    fn an_exim_report_has_headers_only_and_a_reference() {
        let mail = "X-Failed-Recipients: hanako@example.com\nAuto-Submitted: auto-replied\nReferences: <0022@hakonefx.example>\nContent-Type: multipart/report; report-type=delivery-status; boundary=1795-eximdsn-7\nMIME-Version: 1.0\nSubject: Mail delivery failed: returning message to sender\n\n--1795-eximdsn-7\nContent-type: text/plain; charset=us-ascii\n\nA message that you sent could not be delivered.\n\n--1795-eximdsn-7\nContent-type: message/delivery-status\n\nReporting-MTA: dns; relay.example.com\n\nAction: failed\nFinal-Recipient: rfc822;hanako@example.com\nStatus: 5.0.0\nRemote-MTA: dns; mx.example.com\n\n--1795-eximdsn-7\nContent-type: text/rfc822-headers\n\nMessage-ID: <0022@hakonefx.example>\nTo: hanako@example.com\n\n--1795-eximdsn-7--\n";
        check(mail, "Failed 5.0.0 <0022@hakonefx.example>");
    }

    #[test]
    fn an_exchange_report_nests_its_parts_and_folds() {
        let mail = "From: <postmaster@example.co.jp>\nContent-Type: multipart/report;\n report-type=delivery-status;\n boundary=\"_outer_\"\nIn-Reply-To: <0033@hakonefx.example>\n\n--_outer_\nContent-Type: multipart/alternative; boundary=\"_inner_\"\n\n--_inner_\nContent-Type: text/plain\n\nYour message wasn't delivered.\n--_inner_--\n\n--_outer_\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;EXCH01.example.co.jp\n\nFinal-recipient: RFC822;\n jiro@example.co.jp\nAction: delayed\nStatus: 4.4.7\nX-Display-Name: x\n\n--_outer_\nContent-Type: message/rfc822\n\nMessage-ID:\n <0033@hakonefx.example>\n\n--_outer_--\n";
        check(mail, "Delayed 4.4.7 <0033@hakonefx.example>");
    }

    #[test]
    fn a_vacation_answer_is_no_report() {
        check(
            "In-Reply-To: <0011@hakonefx.example>\nContent-Type: text/plain\n\nI am away.\n\nAction: failed\n",
            "no report",
        );
        check("", "no report");
    }

    #[test]
    fn a_status_that_is_none_is_not_kept() {
        check(&POSTFIX.replace("Status: 5.1.1", "Status: taro@example.jp"), "Failed  <0011@hakonefx.example>");
        check(
            &POSTFIX.replace("Status: 5.1.1", "Status: 5.1.1 (no such user)"),
            "Failed 5.1.1 <0011@hakonefx.example>",
        );
    }

    #[test]
    fn an_mbox_is_its_mails() {
        let mbox = format!(
            "From MAILER-DAEMON Mon Nov 23\n{}\nFrom x Mon\nSubject: two\n\nbody\n",
            POSTFIX.replace("\r\n", "\n")
        );
        let mails = mails(mbox.as_bytes());
        assert_eq!(mails.len(), 2);
        check(&mails[0], "Failed 5.1.1 <0011@hakonefx.example>");
        check(&mails[1], "no report");
    }

    #[test]
    fn any_cut_of_a_report_is_read_without_harm() {
        for end in 0..POSTFIX.len() {
            let _ = read(&POSTFIX[..end]);
        }
    }
}
