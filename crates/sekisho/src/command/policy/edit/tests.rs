use super::*;

const FILE: &str = "# The firm's own words.
[[upstream]]
name = \"site\"
url = \"http://127.0.0.1:3000\"

[[listener]]
address = \"127.0.0.1:8080\"

[[route]]
path = \"/\"            # everything
upstream = \"site\"
continuity = true     # a position can always be closed

[[route]]
path = \"/shop\"
upstream = \"site\"
class = \"public\"      # no customers here
foreign = \"record\"    # not yet

[ledger]
directory = \"ledger\"
";

fn check(change: &Change, expected: &[&str]) {
    let new = edited(FILE, &routes(), std::slice::from_ref(change)).expect("edited");
    let told = difference(FILE, &new);
    assert_eq!(told.lines().map(|line| line[7..].trim_end()).collect::<Vec<_>>(), expected, "{told}");
}

fn routes() -> Vec<Route> {
    let route = |path: &str| Route {
        name: None,
        host: None,
        path_prefix: path.to_owned(),
        upstream: 0,
        inspect: true,
        continuity: false,
        compress: false,
        websocket: false,
        rules: sekisho_gateway::inspect::Policy::default(),
        case: None,
    };
    vec![route("/"), route("/shop")]
}

fn change(path: &str, class: Option<&str>, action: Option<&str>) -> Change {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Change { path: path.to_owned(), class: owned(class), action: owned(action), ramp: "5%".to_owned() }
}

#[test]
fn a_rule_is_changed_in_its_place_and_comments_stay() {
    let expected = ["foreign = \"record\"    # not yet", "foreign = \"block\"    # not yet", "enforced = \"5%\""];
    check(&change("/shop", Some("public"), Some("block")), &expected);
    check(&change("/shop", None, None), &expected[2..]);
}

#[test]
fn a_path_without_a_route_gets_one_like_the_route_that_covers_it() {
    let expected = [
        "[[route]]",
        "path = \"/my\"",
        "upstream = \"site\"",
        "continuity = true",
        "class = \"own\"",
        "foreign = \"block\"",
        "enforced = \"5%\"",
        "",
    ];
    check(&change("/my", Some("own"), Some("block")), &expected);
}

#[test]
fn a_share_is_between_0_and_100_percent() {
    assert_eq!(percent("5"), Ok("5%".to_owned()));
    assert_eq!(percent("100%"), Ok("100%".to_owned()));
    assert!(percent("101%").is_err() && percent("-1%").is_err() && percent("half").is_err());
}
