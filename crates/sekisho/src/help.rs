//! Help that fits a terminal: clap wraps its own text, and an example is continued as a shell reads it.

use clap::Command;
use sekisho_scope::text::width;

/// Columns of a terminal.
const COLUMNS: usize = 80;

/// The command and all below it with their examples and usage made to fit.
pub(crate) fn fitted(mut command: Command) -> Command {
    // Only a command that is built knows its usage.
    command.build();
    fitted_parts(command)
}

fn fitted_parts(mut command: Command) -> Command {
    if let Some(help) = command.get_after_help() {
        let examples: Vec<String> = help.to_string().lines().map(|line| fit(line, " \\", "    ")).collect();
        command = command.after_help(examples.join("\n"));
    }
    let usage = command.render_usage().to_string();
    if usage.lines().any(|line| width(line) > COLUMNS) {
        // Two blanks make it a line to be broken; the heading is as wide as what continues it.
        let usage = fit(&format!("  {usage}"), "", "         ");
        command = command.override_usage(usage.replace("\n  ", "\n").replacen("  Usage: ", "", 1));
    }
    command.mut_subcommands(fitted_parts)
}

/// A line that begins with blanks, broken before words that would stand beyond the last column: `end` stands before each
/// break and `indent` behind it.
fn fit(line: &str, end: &str, indent: &str) -> String {
    if !line.starts_with("  ") || width(line) <= COLUMNS {
        return line.to_owned();
    }
    let mut fitted = String::from(" ");
    let mut used = width(&fitted);
    for (at, word) in words(line.trim_start()).into_iter().enumerate() {
        let blank_and_word = 1 + width(word);
        if at > 0 && used + blank_and_word + width(end) > COLUMNS {
            fitted.push_str(&format!("{end}\n{indent}{word}"));
            used = width(indent) + width(word);
        } else {
            fitted.push_str(&format!(" {word}"));
            used += blank_and_word;
        }
    }
    fitted
}

/// Words as a shell sees them: what stands in single quotes is not broken.
fn words(line: &str) -> Vec<&str> {
    let mut quoted = false;
    line.split(|character: char| {
        quoted ^= character == '\'';
        character == ' ' && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_long_example_is_continued_outside_quotes() {
        let line = format!("  sekisho case open x --title '{}' --origin gateway --more", "長い 題 ".repeat(5));
        let fitted = fit(&line, " \\", "    ");
        assert!(fitted.lines().count() == 2 && fitted.lines().all(|line| width(line) <= COLUMNS), "{fitted}");
        assert_eq!(fitted.replace(" \\\n   ", ""), line);
    }

    #[test]
    fn every_command_and_group_has_an_example_and_fits_a_terminal() {
        let mut root = fitted(crate::Arguments::command());
        let mut wrong = Vec::new();
        walk("", &mut root, &mut wrong);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn walk(above: &str, command: &mut Command, wrong: &mut Vec<String>) {
        let name = format!("{above}{} ", command.get_name());
        for help in [command.render_help().to_string(), command.render_long_help().to_string()] {
            if !help.contains("Example") {
                wrong.push(format!("{name}has no example"));
            }
            wrong.extend(help.lines().filter(|line| width(line) > COLUMNS).map(|line| format!("{name}: {line}")));
        }
        let below = command.get_subcommands_mut().filter(|below| below.get_name() != "help" && !below.is_hide_set());
        below.for_each(|below| walk(&name, below, wrong));
    }
}
