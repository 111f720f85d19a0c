//! What a benchmark starts: nginx with the pages, nginx as plain proxy, Sekisho; and the register, made once.

use super::{PAUSE_MS_MAX, Pace, Page, Sessions};
use crate::customers;
use crate::dist;
use crate::process::{self, Running, output_of};
use crate::sekisho::{self, Site};
use anyhow::{Result, bail};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Bytes of either page.
const PAGE_BYTES: usize = 10 * 1024;
/// Customers whose own pages are asked for, and sessions that return.
const RETURNING: u64 = 1000;

/// Which proxy is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    Nginx,
    Sekisho,
    /// With the rules of an `own` route in force.
    Enforced,
}

/// Everything that stands ready for all rounds. The backend runs until this is dropped.
pub(super) struct Stage {
    folder: PathBuf,
    executable: PathBuf,
    register: PathBuf,
    slow_sync: PathBuf,
    backend: SocketAddr,
    pub(super) customers: u64,
    pub(super) index_build: Option<Duration>,
    pub(super) index_bytes: u64,
    _backend: Running,
}

/// A proxy under measurement.
pub(super) struct Started {
    running: Running,
    address: SocketAddr,
}

impl Started {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.running.pids()
    }
}

impl Stage {
    pub(super) fn prepare(root: &Path, executable: Option<&Path>, customers: u64) -> Result<Stage> {
        let executable = match executable {
            Some(path) => path.canonicalize()?,
            None => dist::build(root)?,
        };
        let folder = sekisho::target_directory(root)?.join("bench-proxy");
        fs::create_dir_all(&folder)?;
        write_pages(&folder.join("pages"))?;
        let slow_sync = compile_slow_sync(root, &folder)?;
        let register = folder.join(format!("customers-{customers}.csv"));
        if !register.exists() {
            customers::write_csv(&register, customers)?;
        }
        let backend = process::free_address()?;
        let running = start_nginx(&folder, "backend", backend, BACKEND)?;
        let mut stage = Stage {
            folder,
            executable,
            register,
            slow_sync,
            backend,
            customers,
            index_build: None,
            index_bytes: 0,
            _backend: running,
        };
        stage.build_index()?;
        Ok(stage)
    }

    /// Builds the index of the register, once for all runs with the same folder.
    fn build_index(&mut self) -> Result<()> {
        let site = self.site("own", Some(&self.register), "")?;
        let index = site.ledger.with_extension("index");
        if index.exists() {
            // Another version may have made it, and no ledger knows its persons.
            fs::remove_file(&index)?;
        }
        let begin = Instant::now();
        output_of(Command::new(&self.executable).args(["register", "build", "-c"]).arg(&site.config))?;
        self.index_build = Some(begin.elapsed());
        self.index_bytes = fs::metadata(index)?.len();
        Ok(())
    }

    /// A folder `name` with a fresh ledger and a configuration.
    fn site(&self, name: &str, register: Option<&Path>, route: &str) -> Result<Site> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        let site = Site::write(&self.executable, &folder, process::free_address()?, self.backend, register, route)?;
        if site.ledger.exists() {
            fs::remove_dir_all(&site.ledger)?;
            forget_last_signed(&folder.join("keys"))?;
        }
        Ok(site)
    }

    /// Starts a proxy in front of the pages, with the register or without.
    pub(super) fn start(&self, proxy: Proxy, with_register: bool, sync_delay: Option<Duration>) -> Result<Started> {
        if proxy == Proxy::Nginx {
            let address = process::free_address()?;
            let locations = PROXY.replace("BACKEND", &self.backend.to_string());
            return Ok(Started { running: start_nginx(&self.folder, "proxy", address, &locations)?, address });
        }
        let name = if with_register { "own" } else { "clean" };
        let route = if proxy == Proxy::Enforced { RULES } else { "" };
        let site = self.site(name, with_register.then_some(&*self.register), route)?;
        let log = self.folder.join("sekisho.log");
        let mut command = many_files(&self.executable);
        command.arg("serve").arg("-c").arg(&site.config);
        if let Some(delay) = sync_delay {
            command.env("LD_PRELOAD", &self.slow_sync).env("SLOW_SYNC_US", delay.as_micros().to_string());
        }
        let running = Running::start(&mut command, &log)?.listens_on(site.listen, &log)?;
        if proxy == Proxy::Enforced {
            log_in(site.listen)?;
        }
        Ok(Started { running, address: site.listen })
    }

    /// The requests of a case, in wrk's language.
    pub(super) fn wrk_script(&self, path: Page, sessions: Sessions, pace: Pace) -> Result<PathBuf> {
        let page = match path {
            Page::Clean => "\"/clean.html\"".to_owned(),
            Page::Own => format!("\"/own/\" .. (n % {RETURNING}) .. \".html\""),
        };
        let cookie = match sessions {
            Sessions::None => "nil",
            Sessions::Returning => "{ [\"Cookie\"] = \"session=returning\" .. (n % 1000) }",
            Sessions::New => "{ [\"Cookie\"] = \"session=\" .. begin .. \"x\" .. n }",
        };
        let script = self.folder.join("requests.lua");
        let pauses = match pace {
            Pace::AsFastAsAnswered => String::new(),
            Pace::WithPauses => format!("function delay() return math.random(0, {PAUSE_MS_MAX}) end\n"),
        };
        let text = format!(
            "local n, begin = 0, os.time()\nfunction request()\n  n = n + 1\n  return wrk.format(\"GET\", {page}, {cookie})\nend\n\
             {pauses}"
        );
        fs::write(&script, text)?;
        Ok(script)
    }
}

/// A new ledger in the place of one that was signed is refused, for as long as the copy of its last signature is there.
fn forget_last_signed(keys: &Path) -> Result<()> {
    for entry in fs::read_dir(keys)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("last-signed-") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Starts `program` with room for as many open files as this account may have.
fn many_files(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n $(ulimit -H -n) && exec \"$0\" \"$@\""]).arg(program);
    command
}

const BACKEND: &str = "location = /login { add_header Set-Cookie \"session=returning$arg_n; Path=/\"; return 303 /own; } \
                       location / { root pages; default_type \"text/html; charset=utf-8\"; types { } }";

/// What shows a session its own person only.
const RULES: &str = "class = \"own\"\nforeign = \"block\"\ncard = \"block\"\nmy_number = \"block\"\nsecret = \"block\"\n\n\
                     [[login]]\npath = \"/login\"\nfield = \"account_id\"\nkind = \"account_id\"\nsuccess_location = \"/own\"\n";

/// Signs every returning session in as its customer.
fn log_in(address: SocketAddr) -> Result<()> {
    let mut wire = BufReader::new(TcpStream::connect(address)?);
    for number in 0..RETURNING {
        let [id, ..] = customers::customer(number);
        let form = format!("account_id={id}");
        let head = format!(
            "POST /login?n={number} HTTP/1.1\r\nHost: site.example\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        );
        wire.get_mut().write_all(head.as_bytes())?;
        let (mut line, mut status, mut length) = (String::new(), String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if wire.read_line(&mut line)? == 0 {
                bail!("the log-in of customer {number} was broken off");
            }
            if status.is_empty() {
                status = line.split(' ').nth(1).unwrap_or_default().to_owned();
            }
            if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = bytes.trim().parse()?;
            }
        }
        io::copy(&mut (&mut wire).take(length), &mut io::sink())?;
        if status != "303" {
            bail!("the log-in of customer {number} got {status}");
        }
    }
    Ok(())
}

const PROXY: &str = "location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\"; } }\n\
                     upstream backend { server BACKEND; keepalive 128; ";

fn start_nginx(folder: &Path, name: &str, address: SocketAddr, location: &str) -> Result<Running> {
    let config = folder.join(format!("{name}.conf"));
    // Workers that run as another account could not read pages below a private home folder.
    let user = output_of(Command::new("id").arg("-un"))?;
    let text = format!(
        "user {};\nworker_processes 1;\ndaemon off;\npid {name}.pid;\nerror_log {name}.log warn;\n\
         events {{ worker_connections 32768; }}\nhttp {{\naccess_log off;\ngzip off;\nkeepalive_requests 1000000000;\n\
         keepalive_timeout 300;\nclient_body_temp_path tmp;\nproxy_temp_path tmp;\nfastcgi_temp_path tmp;\n\
         uwsgi_temp_path tmp;\nscgi_temp_path tmp;\nserver {{ listen {address} backlog=4096; {location} }}\n}}\n",
        user.trim()
    );
    fs::write(&config, text)?;
    let log = folder.join(format!("{name}.start.log"));
    let mut command = many_files(Path::new("nginx"));
    command.arg("-p").arg(folder).arg("-c").arg(&config);
    Running::start(&mut command, &log)?.listens_on(address, &log)
}

/// A library that makes every sync of the unchanged executable slower.
fn compile_slow_sync(root: &Path, folder: &Path) -> Result<PathBuf> {
    let library = folder.join("slow_sync.so");
    let source = root.join("crates/xtask/src/bench/slow_sync.c");
    output_of(Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl"))?;
    Ok(library)
}

/// Writes the clean page and the customers' own pages, all of one size.
fn write_pages(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("own"))?;
    fs::write(folder.join("clean.html"), page("<h1>セミナーのご案内</h1>"))?;
    for number in 0..RETURNING {
        let [id, name, kana, email, phone] = customers::customer(number);
        let own = format!(
            "<h1>マイページ</h1><p>{name}（{kana}）様</p><dl><dt>口座<dd>{id}<dt>メール<dd>{email}<dt>電話<dd>{phone}</dl>"
        );
        fs::write(folder.join(format!("own/{number}.html")), page(&own))?;
    }
    Ok(())
}

/// A page of exactly [`PAGE_BYTES`], with the text, numbers and markup that a page has.
fn page(content: &str) -> String {
    let mut page =
        format!("<!doctype html><html lang=ja><meta charset=utf-8><title>箱根FX</title><body>{content}<table>\n");
    let end = "</table></html>\n";
    for row in 0.. {
        let line = format!(
            "<tr class=rate><td>USD/JPY</td><td>{}.{:03}</td><td>2026-11-23 10:{:02}</td><td>売り・買い</td></tr>\n",
            150 + row % 7,
            row * 37 % 1000,
            row % 60
        );
        if page.len() + line.len() + end.len() > PAGE_BYTES {
            break;
        }
        page += &line;
    }
    page += &" ".repeat(PAGE_BYTES - page.len() - end.len());
    page + end
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_pages_have_the_same_size() {
        assert_eq!(super::page("").len(), super::PAGE_BYTES);
        assert_eq!(super::page("<p>佐藤 太郎様</p>").len(), super::PAGE_BYTES);
    }
}
