//! What istioctl prints of Envoy's pages, and what the pages say is wrong, compared with the recordings.

mod captures;
mod clusters_page;
mod corpus;
mod hostile;
mod large_dump;
mod recordings;
mod troubles;

/// A line of the tests' report, which `--nocapture` shows.
#[expect(clippy::print_stdout, reason = "how much passes is what these tests are run for")]
fn say(line: &str) {
    println!("{line}");
}
