//! The form of istiod's page `/debug/syncz`. It may be tens of megabytes, so texts stay slices of it; what has another type
//! than expected counts as absent.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// A text; empty where there is something else.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text<'a>(Cow<'a, str>);

/// An object, or nothing where there is something else.
#[derive(Debug)]
pub(super) struct Lenient<T>(pub(super) Option<T>);

/// What one type of a client is at.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WatchedType<'a> {
    #[serde(borrow)]
    pub(super) sent: Text<'a>,
    #[serde(borrow)]
    pub(super) acked: Text<'a>,
    #[serde(borrow)]
    pub(super) sent_time: Text<'a>,
    #[serde(borrow)]
    pub(super) last_error: Text<'a>,
}

/// A client of istiod.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListedClient<'a> {
    #[serde(borrow)]
    pub(super) cluster_id: Text<'a>,
    #[serde(borrow)]
    pub(super) proxy: Text<'a>,
    #[serde(borrow)]
    pub(super) proxy_type: Text<'a>,
    #[serde(borrow)]
    pub(super) proxy_version: Text<'a>,
    #[serde(borrow)]
    pub(super) istio_version: Text<'a>,
    /// By type URL, since 1.23.
    #[serde(borrow)]
    pub(super) resources: Lenient<BTreeMap<Text<'a>, Lenient<WatchedType<'a>>>>,
    #[serde(borrow)]
    cluster_sent: Text<'a>,
    #[serde(borrow)]
    cluster_acked: Text<'a>,
    #[serde(borrow)]
    listener_sent: Text<'a>,
    #[serde(borrow)]
    listener_acked: Text<'a>,
    #[serde(borrow)]
    endpoint_sent: Text<'a>,
    #[serde(borrow)]
    endpoint_acked: Text<'a>,
    #[serde(borrow)]
    route_sent: Text<'a>,
    #[serde(borrow)]
    route_acked: Text<'a>,
    #[serde(borrow)]
    extensionconfig_sent: Text<'a>,
    #[serde(borrow)]
    extensionconfig_acked: Text<'a>,
}

impl ListedClient<'_> {
    /// The nonces sent and acknowledged of clusters, listeners, endpoints, routes and extensions.
    pub(super) fn pairs(&self) -> [(&str, &str); 5] {
        [
            (&self.cluster_sent, &self.cluster_acked),
            (&self.listener_sent, &self.listener_acked),
            (&self.endpoint_sent, &self.endpoint_acked),
            (&self.route_sent, &self.route_acked),
            (&self.extensionconfig_sent, &self.extensionconfig_acked),
        ]
        .map(|(sent, acked)| (&**sent, &**acked))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData)).map(Self)
    }
}

/// Scalars that are not what is looked for.
macro_rules! absent {
    ($value:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    absent!(Text::default());

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Option<T>;

    absent!(None);

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}
