//! What is done to a built site is named, whoever did it.

use super::{Book, notice};
use crate::site::{self, Edited};
use crate::verify;
use std::path::Path;

/// What verifying a site says after a change to it.
pub(super) fn verified_after(book: &Book, change: &dyn Fn(&Path)) -> String {
    let out = book.directory.path().join("site");
    let key = book.store().verifier().to_owned();
    site::write(&book.files(), &out, Edited::Keep).unwrap();
    change(&out);
    let told = match verify::site(&out, &sekisho_tlog::VerifyingKey::parse(&key).unwrap(), &key, &|_| Ok(None)) {
        Ok(found) => format!("{} entries", found.entries),
        Err(err) => err.to_string(),
    };
    std::fs::remove_dir_all(&out).unwrap();
    told
}

fn edit(site: &Path, path: &str, from: &str, to: &str) {
    let path = site.join(path);
    let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
    assert!(text.contains(from), "{}: {text}", path.display());
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// Makes the list of files say what the files are, as a forger would.
fn list_anew(site: &Path) {
    let manifest = std::fs::read(site.join("site.json")).unwrap();
    let mut manifest: site::Manifest = serde_json::from_slice(&manifest).unwrap();
    manifest.files = site::listed(site)
        .unwrap()
        .into_iter()
        .filter(|path| path != "site.json")
        .map(|path| site::ManifestFile { sha256: site::sha256(&std::fs::read(site.join(&path)).unwrap()), path })
        .collect();
    std::fs::write(site.join("site.json"), serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}

#[test]
fn a_forged_site_is_not_whole_whatever_its_list_of_files_says() {
    let mut book = Book::new();
    book.publish(notice(185_626)).unwrap();
    book.update(notice(185_637)).unwrap();
    let check = |change: &dyn Fn(&Path), expected: &str| {
        for forged in [false, true] {
            let told = verified_after(&book, &|site| {
                change(site);
                if forged {
                    list_anew(site);
                }
            });
            assert!(told.contains(expected), "list made anew: {forged}: {told}");
        }
    };
    check(&|_| {}, "3 entries");
    check(&|site| edit(site, "index.html", "185,637 名", "185,627 名"), "`index.html` is not what its log says");
    check(&|site| std::fs::remove_file(site.join("en/index.html")).unwrap(), "`en/index.html` is missing");
    check(&|site| std::fs::remove_dir_all(site.join("v/1")).unwrap(), "`v/1/index.html` is missing");
    check(&|site| std::fs::write(site.join("extra.html"), "x").unwrap(), "`extra.html` is none of the site's");
    check(&|site| std::fs::remove_file(site.join("log/checkpoint")).unwrap(), "it has no log");
    check(&|site| edit(site, "style.css", "body", "bodY"), "`style.css` is not what its log says");
}

/// The documents of leaves, in a site.
pub(super) fn document(book: &Book, leaf: usize) -> String {
    format!("documents/{}.json", book.store().record.entries[leaf].document)
}

#[test]
fn a_document_in_a_site_is_as_its_leaf_says_and_withholds_only_what_a_step_says() {
    let mut book = Book::new();
    book.publish(notice(7)).unwrap();
    let path = document(&book, 1);
    let told = verified_after(&book, &|site| edit(site, &path, "\"value\": 7", "\"value\": 1"));
    assert!(told.contains("was changed after it was published"), "{told}");
    let told = verified_after(&book, &|site| {
        let path = site.join(&path);
        let mut document = sekisho_anchor::document::Document::parse(&std::fs::read(&path).unwrap()).unwrap();
        document.withhold("happened");
        std::fs::write(&path, document.bytes()).unwrap();
        list_anew(site);
    });
    assert!(told.contains("leaf 1: it withholds `happened`, and no step says why"), "{told}");
    let whole = std::fs::read(book.dir().join(&path)).unwrap();
    let told = verified_after(&book, &|site| std::fs::write(site.join(&path), &whole).unwrap());
    assert!(told.contains("is not what its log says"), "the firm's own copy names the operator: {told}");
}

#[test]
fn a_site_of_another_version_is_not_called_whole() {
    let mut book = Book::new();
    book.publish(notice(7)).unwrap();
    let told = verified_after(&book, &|site| {
        edit(site, "site.json", site::GENERATOR, "sekisho 9.9.9");
        edit(site, "index.html", "<h1>", "<h1 >");
    });
    assert!(told.contains("log and documents are whole") && told.contains("sekisho 9.9.9 made it"), "{told}");
}

#[test]
fn what_another_hand_wrote_into_the_site_is_not_lost() {
    let mut book = Book::new();
    book.publish(notice(7)).unwrap();
    let out = book.directory.path().join("site");
    site::write(&book.files(), &out, Edited::Keep).unwrap();
    std::fs::write(out.join("robots.txt"), "User-agent: *").unwrap();
    let told = site::write(&book.files(), &out, Edited::Keep).expect_err("refused").to_string();
    assert!(told.contains("`robots.txt`") && told.contains("--replace"), "{told}");
    site::write(&book.files(), &out, Edited::Replace).unwrap();
    assert!(!out.join("robots.txt").exists());
    edit(&out, "index.html", "7 名", "8 名");
    let told = site::write(&book.files(), &out, Edited::Keep).expect_err("refused").to_string();
    assert!(told.contains("`index.html`"), "{told}");
}
