//! What istioctl prints of Envoy's pages, and what the pages say is wrong, compared with the recordings.

mod captures;
mod clusters_page;
mod corpus;
mod hostile;
mod large_dump;
mod recordings;
mod troubles;
