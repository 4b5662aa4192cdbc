//! A dump of a large mesh: it is read once, and never copied.

use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use meshtriage::envoy::config_dump::ConfigDump;
use meshtriage::envoy::proxy_config::{Filter, Kind, ProxyConfigRows, rows_of};
use meshtriage::envoy::troubles;

use super::recordings::proxies;

/// Megabytes of the dump. The limits (a second and 300 MB with the page for 100 MB) hold for a release build; a build for
/// tests is several times slower.
const SIZE_MB: usize = 20;

/// The measurement needs a process of its own, as the peak of memory is the process's: this test starts itself once more.
#[test]
fn large_dump_is_read_in_little_time_and_memory() {
    if std::env::args().any(|arg| arg == "--exact") {
        measure();
        return;
    }
    let name = "proxy_config::large_dump::large_dump_is_read_in_little_time_and_memory";
    let command =
        Command::new(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).output().unwrap();
    let output = String::from_utf8_lossy(&command.stdout);
    crate::support::say(output.lines().find(|line| line.contains(" MB: ")).unwrap_or(&output));
    assert!(command.status.success(), "{output}{}", String::from_utf8_lossy(&command.stderr));
    assert!(output.contains("1 passed"), "{output}");
}

fn measure() {
    let size = option_env!("LARGE_DUMP_MB").map_or(SIZE_MB, |size| size.parse().unwrap());
    let page = large_dump(size * 1_000_000);
    let before = peak_memory_kb();
    let start = processor_time();
    let dump = ConfigDump::parse(page.as_bytes()).unwrap();
    let ProxyConfigRows::All(all) = rows_of(Kind::All, &dump, &Filter::default(), Timestamp::UNIX_EPOCH).unwrap()
    else {
        panic!()
    };
    let with_rows = processor_time().checked_sub(start).unwrap();
    let troubles = troubles::find(&dump, Timestamp::UNIX_EPOCH).unwrap();
    let total = processor_time().checked_sub(start).unwrap();
    let grown_mb = peak_memory_kb().saturating_sub(before) / 1024;
    crate::support::say(&format!(
        "{} MB: {} clusters, {} listeners, {} route configurations, {} endpoints in {with_rows:?}, {} troubles in \
         {total:?}; peak memory grew by {grown_mb} MB",
        page.len() / 1_000_000,
        all.clusters.len(),
        all.listeners.len(),
        all.routes.len(),
        all.endpoints.len(),
        troubles.len(),
    ));
    assert!(all.clusters.len() > 1000);
    let allowed = Duration::from_millis(if cfg!(debug_assertions) { 60 } else { 10 }) * u32::try_from(size).unwrap();
    assert!(total < allowed, "{total:?} for {size} MB");
    assert!(grown_mb < size * 2, "{grown_mb} MB more for {size} MB");
}

/// The time that this thread had a processor: that it waits for one, as others run, does not count.
fn processor_time() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(times.split_whitespace().next().unwrap().parse().unwrap())
}

/// A recorded dump whose dynamic resources are there as often as it takes, each time under another name.
fn large_dump(size: usize) -> String {
    let proxy = proxies().into_iter().find(|proxy| proxy.workload() == "frontend").unwrap();
    let page: serde_json::Value = serde_json::from_slice(&proxy.page("config_dump_include_eds.json")).unwrap();
    let is_dynamic = |name: &str| name.starts_with("dynamic_") && !name.contains("secret");
    let sections: Vec<_> =
        page["configs"].as_array().unwrap().iter().map(|section| section.as_object().unwrap()).collect();
    let dynamic = sections.iter().copied().flatten().filter(|(name, _)| is_dynamic(name));
    let times = size / dynamic.map(|(_, value)| value.to_string().len()).sum::<usize>() + 1;
    let mut text = "{\"configs\":[".to_owned();
    for (at, section) in sections.iter().enumerate() {
        text.push_str(if at > 0 { ",{" } else { "{" });
        for (at, (name, value)) in section.iter().enumerate() {
            let value = value.to_string();
            write!(text, "{}{name:?}:", if at > 0 { "," } else { "" }).unwrap();
            if !is_dynamic(name) {
                text.push_str(&value);
                continue;
            }
            let items = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')).unwrap();
            text.push('[');
            for copy in 0..times {
                text.push_str(if copy > 0 { "," } else { "" });
                text.push_str(&items.replace(".svc.cluster.local", &format!(".svc{copy}.cluster.local")));
            }
            text.push(']');
        }
        text.push('}');
    }
    text.push_str("]}");
    text
}

/// The most memory that the process ever had.
fn peak_memory_kb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
