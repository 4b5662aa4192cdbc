//! Prometheus' text format, as Envoy, istiod and CoreDNS write it. A page is gone through line by line, and lines that are
//! no samples are left out.
//!
//! See <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

/// One line of a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'p> {
    pub name: &'p str,
    labels: &'p str,
    pub value: f64,
}

/// The samples of a page, in its order.
pub fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    page.lines().filter_map(Sample::parse)
}

/// The value of a metric that has no labels.
pub fn single(page: &str, name: &str) -> Option<f64> {
    samples(page).find(|sample| sample.name == name).map(|sample| sample.value)
}

impl<'p> Sample<'p> {
    fn parse(line: &'p str) -> Option<Self> {
        let line = line.trim();
        if line.starts_with('#') {
            return None;
        }
        let (name, rest) = line.split_at(line.find(['{', ' ', '\t'])?);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(inner) => {
                let end = end_of_labels(inner)?;
                (&inner[..end], &inner[end + 1..])
            }
            None => ("", rest),
        };
        let value = rest.split_whitespace().next()?.parse().ok()?;
        Some(Self { name, labels, value })
    }

    /// Names and values of its labels; values as they are written, with their escapes.
    pub fn labels(&self) -> impl Iterator<Item = (&'p str, &'p str)> + use<'p> {
        let mut rest = self.labels;
        std::iter::from_fn(move || {
            let (name, after) = rest.trim_start_matches([',', ' ']).split_once("=\"")?;
            let end = end_of_text(after)?;
            rest = &after[end + 1..];
            Some((name, &after[..end]))
        })
    }

    pub fn label(&self, name: &str) -> Option<&'p str> {
        self.labels().find(|(own, _)| *own == name).map(|(_, value)| value)
    }
}

/// Where the labels end: at the first brace outside of a text.
fn end_of_labels(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let next = at + text[at..].find(['"', '}'])?;
        if text.as_bytes()[next] == b'}' {
            return Some(next);
        }
        at = next + 1;
        at += end_of_text(&text[at..])? + 1;
    }
}

/// Where a text ends: at the first quote that is not escaped.
fn end_of_text(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// A histogram: for each bound how many observations were not above it. Histograms of several labels or pages add up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// Ordered by bound.
    buckets: Vec<(f64, f64)>,
}

impl Histogram {
    /// Adds a sample `…_bucket` by its label `le`; another sample changes nothing.
    pub fn add(&mut self, sample: &Sample<'_>) {
        let Some(bound) = sample.label("le").and_then(|bound| bound.parse::<f64>().ok()) else { return };
        self.add_bucket(bound, sample.value);
    }

    fn add_bucket(&mut self, bound: f64, count: f64) {
        if bound.is_nan() || !count.is_finite() {
            return;
        }
        match self.buckets.binary_search_by(|(own, _)| own.total_cmp(&bound)) {
            Ok(at) => self.buckets[at].1 += count,
            Err(at) => self.buckets.insert(at, (bound, count)),
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (bound, count) in &other.buckets {
            self.add_bucket(*bound, *count);
        }
    }

    /// What was observed after an earlier reading of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut later = self.clone();
        for (bound, count) in &earlier.buckets {
            later.add_bucket(*bound, -count);
        }
        later
    }

    /// The value that this share of the observations did not exceed, as Prometheus estimates it: in even steps between the
    /// bounds of a bucket; for those above the last bound, that bound. `None` without observations
    /// (<https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>).
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let total = self.buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let wanted = share * total;
        let at = self.buckets.iter().position(|(_, count)| *count >= wanted)?;
        let (bound, count) = self.buckets[at];
        let (lower, below) = if at == 0 { (0.0, 0.0) } else { self.buckets[at - 1] };
        if bound.is_infinite() {
            return Some(lower);
        }
        let within = if count > below { (wanted - below) / (count - below) } else { 1.0 };
        Some(lower + (bound - lower) * within)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn samples_have_names_labels_and_values() {
        let page = "# HELP a Something.\n# TYPE a counter\na 1\n\
            a{x=\"1\",y=\"a \\\"quoted\\\" }, \\\\\",} 2.5e3 1395066363000\nbroken{x=\"1\nnot a number\nup +Inf\n";
        let all: Vec<_> = samples(page).collect();
        assert_eq!(all.iter().map(|sample| sample.name).collect::<Vec<_>>(), ["a", "a", "up"]);
        assert_eq!(all[1].labels().collect::<Vec<_>>(), [("x", "1"), ("y", "a \\\"quoted\\\" }, \\\\")]);
        assert_eq!((all[1].value, all[1].label("z"), all[2].value), (2500.0, None, f64::INFINITY));
        assert_eq!((single(page, "a"), single(page, "b")), (Some(1.0), None));
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let page = "d_bucket{le=\"0.1\"} 50\nd_bucket{le=\"0.2\"} 100\nd_bucket{le=\"+Inf\"} 100\n";
        let mut histogram = Histogram::default();
        samples(page).for_each(|sample| histogram.add(&sample));
        assert!((histogram.quantile(0.75).unwrap() - 0.15).abs() < 1e-9);
        assert_eq!(histogram.since(&histogram).quantile(0.99), None);
        let mut slow = histogram.clone();
        slow.add_bucket(f64::INFINITY, 100.0);
        assert_eq!(slow.quantile(0.99), Some(0.2));
        slow.merge(&histogram);
        assert!((slow.quantile(0.25).unwrap() - 0.075).abs() < 1e-9);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
