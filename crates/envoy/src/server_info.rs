//! The admin pages `/server_info` and `/memory`: how Envoy was started, how long it runs, and what it uses.
//!
//! See <https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--server_info> and
//! <https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--memory>.

use serde::Deserialize;

use super::{Error, json};

/// The parts of `/server_info` that we read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerInfo {
    /// `LIVE`, `DRAINING`, `PRE_INITIALIZING` or `INITIALIZING`.
    pub state: String,
    pub uptime_s: u64,
    /// Worker threads.
    pub concurrency: u64,
}

impl ServerInfo {
    pub fn parse(page: &[u8]) -> Result<Self, Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Page {
            #[serde(deserialize_with = "json::or_default")]
            state: String,
            #[serde(alias = "uptimeAllEpochs", deserialize_with = "json::or_default")]
            uptime_all_epochs: String,
            #[serde(alias = "commandLineOptions", deserialize_with = "json::or_default")]
            command_line_options: Options,
        }

        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Options {
            #[serde(deserialize_with = "json::number")]
            concurrency: u64,
        }

        let page: Page = json::page(page, "the server info")?;
        let seconds = page.uptime_all_epochs.trim_end_matches('s').split('.').next();
        Ok(Self {
            state: page.state,
            uptime_s: seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or_default(),
            concurrency: page.command_line_options.concurrency,
        })
    }
}

/// What Envoy's allocator says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// In use by Envoy.
    #[serde(deserialize_with = "json::number")]
    pub allocated: u64,
    /// Reserved, whether in use or not.
    #[serde(alias = "heapSize", deserialize_with = "json::number")]
    pub heap_size: u64,
    /// What the operating system counts; 0 where Envoy is too old to tell.
    #[serde(alias = "totalPhysicalBytes", deserialize_with = "json::number")]
    pub total_physical_bytes: u64,
}

impl Memory {
    pub fn parse(page: &[u8]) -> Result<Self, Error> {
        json::page(page, "the memory page")
    }

    /// The memory that counts against the container's limit.
    pub fn resident(&self) -> u64 {
        self.total_physical_bytes.max(self.allocated)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read() {
        let page = br#"{"state": "LIVE", "uptime_all_epochs": "131s", "command_line_options": {"concurrency": 2}}"#;
        let info = ServerInfo::parse(page).unwrap();
        assert_eq!(info, ServerInfo { state: "LIVE".to_owned(), uptime_s: 131, concurrency: 2 });
        assert_eq!(ServerInfo::parse(b"{}").unwrap(), ServerInfo::default());
        assert!(ServerInfo::parse(b"not found").is_err());
        let memory = Memory::parse(br#"{"allocated": "8626576", "heap_size": "16777216"}"#).unwrap();
        assert_eq!((memory.heap_size, memory.resident()), (16_777_216, 8_626_576));
    }
}
