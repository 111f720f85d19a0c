//! Serves 箱根FX on the loopback interface, until standard input closes or Ctrl-C. **Never to be deployed.**

use sekisho_demo::site::{Site, SiteOptions, password};
use sekisho_testkit::people::{ACCOUNT_HOLDERS, Column, FileEncoding, Person, SEMINAR_APPLICANTS, people, write_csv};
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::sync::oneshot;

const USAGE: &str = "usage: site [--listen 127.0.0.1:3000] [--seed 1] [--customers 2000] [--applicants 500]
            [--write-register DIR]

Serves the sample broker 箱根FX until standard input closes. With --write-register, first writes
DIR/account_holders.csv and DIR/seminar_applicants.csv.";

struct Options {
    listen: SocketAddr,
    seed: u64,
    customers: usize,
    applicants: usize,
    register: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("error: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprint!(": {error}");
                source = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
        seed: 1,
        customers: 2000,
        applicants: 500,
        register: None,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{name}` is unknown or needs a value"))?;
        let unfit = |expected: &str| format!("`{name} {value}`: expected {expected}");
        match name.as_str() {
            "--listen" => {
                options.listen = value.parse().map_err(|_| unfit("an address and a port, as 127.0.0.1:3000"))?;
            }
            "--seed" => options.seed = value.parse().map_err(|_| unfit("a number"))?,
            "--customers" => options.customers = value.parse().map_err(|_| unfit("a number"))?,
            "--applicants" => options.applicants = value.parse().map_err(|_| unfit("a number"))?,
            "--write-register" => options.register = Some(PathBuf::from(value)),
            _ => return Err(format!("unknown option `{name}`")),
        }
    }
    Ok(options)
}

fn serve(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut persons = people(options.seed);
    let accounts: Vec<Person> = persons.by_ref().take(options.customers).collect();
    let applicants: Vec<Person> = persons.take(options.applicants).collect();
    if let Some(directory) = &options.register {
        fs::create_dir_all(directory)?;
        write_register(&directory.join("account_holders.csv"), &accounts, &ACCOUNT_HOLDERS)?;
        write_register(&directory.join("seminar_applicants.csv"), &applicants, &SEMINAR_APPLICANTS)?;
    }
    let first = accounts.first().map(|person| person.account_id.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let site = Site::start(SiteOptions { address: options.listen, accounts, applicants }).await?;
        println!("箱根FX: http://{}/", site.address());
        if let Some(account_id) = first {
            println!("first account: {account_id}, password {}", password(&account_id));
        }
        input_closed().await;
        site.stop().await?;
        Ok(())
    })
}

fn write_register(path: &Path, persons: &[Person], columns: &[Column]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write_csv(persons, columns, FileEncoding::Utf8, &mut file)?;
    file.flush()
}

/// Ends when standard input does. The thread that waits for it dies with the process.
async fn input_closed() {
    let (closed, waiting) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // An error on standard input ends the site as its end does.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(closed);
    });
    // The sender never sends; its drop is the sign.
    let _ = waiting.await;
}
