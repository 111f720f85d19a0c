use sekisho_affected::config::Config;
use sekisho_affected::limits::Rates;
use sekisho_affected::notice::Notice;

#[test]
fn the_examples_of_the_readme_are_read() {
    let readme = include_str!("../../README.md");
    let mut examples = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    Notice::parse(examples.next().expect("a notice")).expect("it is one");
    let config = Config::parse(examples.next().expect("a configuration")).expect("it is one");
    assert_eq!(config.limits, Rates::default());
}
