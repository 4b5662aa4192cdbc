//! Makes lines comparable by hiding what differs each time, and hides what must not be shown.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// The names of pods, without the parts that Kubernetes makes up: `cart-5c47566dff-nnzd7` becomes `cart-*`. The
/// alphabet is the one of <https://pkg.go.dev/k8s.io/apimachinery/pkg/util/rand>.
static POD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b").expect("a fixed pattern")
});

/// Ids in hexadecimal with dashes, addresses, and runs of letters and digits that look like ids or numbers.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|\b[0-9a-fA-F]{12,}\b|[0-9]+(?:[.:][0-9]+)*")
        .expect("a fixed pattern")
});

/// The text with numbers, addresses and ids replaced, so that two occurrences of one message are the same text.
pub(super) fn mask(text: &str) -> String {
    let text = POD.replace_all(text, "-*");
    TOKEN.replace_all(&text, "N").into_owned()
}

/// A path without what stands in its query, which may hold names and tokens.
pub(super) fn mask_query(path: &str) -> Cow<'_, str> {
    match path.find(['?', '#']) {
        Some(at) => Cow::Owned(format!("{}{}…", &path[..at], &path[at..=at])),
        None => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_message_is_the_same_text() {
        let one =
            "pod cart-5c47566dff-nnzd7.shop-12 at 10.0.0.1:80 took 12.5ms, id 6f3c1a0e-1111-2222-3333-0123456789ab";
        assert_eq!(mask(one), "pod cart-*.shop-N at N took Nms, id N");
    }

    #[test]
    fn query_is_hidden_and_the_path_stays() {
        assert_eq!(mask_query("/a?token=1"), "/a?…");
        assert_eq!(mask_query("/a/b"), "/a/b");
    }
}
