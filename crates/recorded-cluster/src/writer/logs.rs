//! Logs of containers. Each goes through memory once, cut to the range of time that was asked for.

use super::Layout;
use super::budget::Section;
use super::fetch::keep;
use super::places::Place;
use super::pods::{Container, MeshPod, Role};
use super::recording::{Recording, answered, whole};
use logs::time_range::{TimeRange, importance};

/// Which log, and what of it.
struct Wanted<'a> {
    pod: &'a MeshPod,
    container: &'a str,
    previous: bool,
    /// With the kubelet's time in front of each line.
    stamped: bool,
}

pub(super) async fn record(recording: &Recording, pod: &MeshPod, container: &Container) {
    match recording.options.layout {
        Layout::Own => {
            own(recording, pod, container, false).await;
            if container.restarts > 0 {
                own(recording, pod, container, true).await;
            }
        }
        Layout::Istioctl => istioctl(recording, pod, container).await,
    }
}

async fn own(recording: &Recording, pod: &MeshPod, container: &Container, previous: bool) {
    let ending = if previous { ".previous.log" } else { ".log" };
    let file = format!("logs/{}/{}/{}{ending}", pod.namespace, pod.name, container.name);
    let wanted = Wanted { pod, container: &container.name, previous, stamped: true };
    match read(recording, &wanted).await {
        Ok((content, _place)) => {
            let (range, ignored, name) = (recording.options.range, recording.options.ignored.clone(), file.clone());
            let in_mesh = pod.role != Role::Outside;
            recording
                .add_text(Section::Logs, &file, content, move |content, notes| {
                    let content = within(content, &range, true);
                    if in_mesh {
                        notes.log(importance(&unstamped(&content), &ignored), &name);
                    }
                    content
                })
                .await;
        }
        Err(why) => recording.fail(&file, &file, &why).await,
    }
}

const NOTE: &str = "========= Previous log present (appended at the end) =========";
const MARK: &str = "========= Previous log =========";

/// The log as the program wrote it, with that of the container before it at the end.
async fn istioctl(recording: &Recording, pod: &MeshPod, container: &Container) {
    let file = match pod.role {
        Role::Istiod => format!("istio/{}/{}/discovery.log", pod.namespace, pod.name),
        Role::Cni => format!("cni/{}/cni.log", pod.name),
        _ => format!("proxies/{}/{}/{}.log", pod.namespace, pod.name, container.name),
    };
    let mut wanted = Wanted { pod, container: &container.name, previous: false, stamped: false };
    let (log, mut place) = match read(recording, &wanted).await {
        Ok(log) => log,
        Err(why) => return recording.fail(&file, &file, &why).await,
    };
    wanted.previous = true;
    let mut previous = None;
    if container.restarts > 0 {
        // Who waits for a place must not hold another one.
        drop(place);
        let read = read(recording, &wanted).await;
        (previous, place) = read.map_or((None, None), |(previous, place)| (whole(previous).ok(), place));
    }
    let (range, ignored, name) = (recording.options.range, recording.options.ignored.clone(), file.clone());
    recording
        .add_text(Section::Logs, &file, log, move |content, notes| {
            let log = within(content, &range, false);
            notes.log(importance(&String::from_utf8_lossy(&log), &ignored), &name);
            let Some(previous) = previous else { return log };
            let (log, previous) = (String::from_utf8_lossy(&log), within(previous, &range, false));
            let previous = String::from_utf8_lossy(&previous);
            format!("{NOTE}\n\n{log}\n\n{MARK}\n\n{previous}").into_bytes()
        })
        .await;
    drop(place);
}

fn within(content: Vec<u8>, range: &TimeRange, stamped: bool) -> Vec<u8> {
    if range.is_unbounded() {
        return content;
    }
    let text = String::from_utf8_lossy(&content);
    if stamped { range.of_stamped_log(&text) } else { range.of_log(&text) }.into_bytes()
}

fn unstamped(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    let line = |line: &str| line.split_once(' ').map_or("", |(_, line)| line).to_owned() + "\n";
    text.lines().map(line).collect()
}

/// A log, and a place that is to be held until the log is in the archive.
async fn read<'a>(
    recording: &'a Recording,
    wanted: &Wanted<'_>,
) -> Result<(tempfile::SpooledTempFile, Option<Place<'a>>), String> {
    let options = &recording.options;
    let lines = options.cut.as_ref().map_or(options.log_lines, |cut| cut.log_lines);
    let Wanted { pod, container, previous, stamped } = wanted;
    let (namespace, name, bytes) = (&pod.namespace, &pod.name, options.log_bytes);
    let mut path = format!(
        "/api/v1/namespaces/{namespace}/pods/{name}/log?container={container}&timestamps={stamped}&tailLines={lines}\
         &limitBytes={bytes}&previous={previous}"
    );
    if let Some(start) = options.range.start {
        path = format!("{path}&sinceTime={start}");
    }
    let places = &recording.places;
    let answer = async {
        recording.spent.allows(Section::Logs)?;
        recording.send(&path, "*/*").await
    };
    let (begun, place) = places.begin(answer).await.ok_or_else(|| places.too_late())?;
    let (status, body) = begun?;
    let limit = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(1024);
    let read = places.end(keep(body, recording.spool(), limit)).await.ok_or_else(|| places.too_late())?;
    let mut content = read?;
    if !status.is_success() {
        let said = whole(content).map_err(|error| error.to_string())?;
        return answered(status, &said).map(|_| unreachable!("it is no success"));
    }
    let length = std::io::Seek::seek(&mut content, std::io::SeekFrom::End(0)).map_err(|error| error.to_string())?;
    if length >= bytes {
        let what = format!("log of {container} in {namespace}/{name} after {bytes} bytes");
        recording.skip(what, "the log is longer than the limit");
    }
    Ok((content, Some(place)))
}
