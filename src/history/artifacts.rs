//! The files that runs leave: their names, sizes and checksums.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Result;
use super::connect::{History, on};
use super::rows::storable;

/// A file that a run has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    pub name: String,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    pub content_type: String,
}

impl History {
    /// Notes a file that a run has left.
    pub async fn add_artifact(&self, run: Uuid, artifact: &Artifact) -> Result<()> {
        const SQL: &str = "insert into run_artifact (run_id, name, bytes, sha256, content_type) \
             values ($1, $2, $3, $4, $5) on conflict do nothing";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(run.to_string())
                .bind(storable(&artifact.name))
                .bind(i64::try_from(artifact.bytes).unwrap_or(i64::MAX))
                .bind(&artifact.sha256)
                .bind(&artifact.content_type)
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|_| ())
    }

    /// The files that a run has left, by name.
    pub async fn artifacts(&self, run: Uuid) -> Result<Vec<Artifact>> {
        const SQL: &str =
            "select name, bytes, sha256, content_type from run_artifact where run_id = $1 order by name limit 1000";
        let rows: Vec<(String, i64, String, String)> = self
            .limited(async { on!(&self.db, pool => sqlx::query_as(SQL).bind(run.to_string()).fetch_all(pool).await) })
            .await?;
        let artifact = |(name, bytes, sha256, content_type): (String, i64, String, String)| Artifact {
            name,
            bytes: u64::try_from(bytes).unwrap_or_default(),
            sha256,
            content_type,
        };
        Ok(rows.into_iter().map(artifact).collect())
    }
}
