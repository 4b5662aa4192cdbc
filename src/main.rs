//! Reads the settings, starts telemetry, and does what was asked for.

use std::{io::Write as _, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Parser as _;
use meshtriage::{
    api::{self, Bounds, Tls},
    app::App,
    config::{Cli, Command, LogFormat, Serve},
    runs, start, telemetry, terminal,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long open requests may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);
/// How long the end of runs in the background may take to be recorded.
const STOP: Duration = Duration::from_secs(5);
const RELOAD_EVERY: Duration = Duration::from_secs(15);
const CLEAN_EVERY: Duration = Duration::from_hours(1);
/// Captures that nobody uses take memory.
const TEND_EVERY: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    rustls::crypto::ring::default_provider().install_default().expect("no provider was installed before");
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::anyhow!(error)),
    };
    let result = match cli.command {
        Command::Serve(serve) => runtime.block_on(run_server(&serve)).map(|()| ExitCode::SUCCESS),
        Command::Run(run) => runtime.block_on(terminal::run(&run)),
        Command::Capture(capture) => runtime.block_on(terminal::capture(&capture)),
        Command::Steps(steps) => terminal::steps(steps.step.as_deref()),
        Command::Openapi => terminal::print(&format!("{:#}", api::openapi())),
        Command::Completions(completions) => terminal::completions(completions.shell),
        Command::Man => terminal::manual(),
    };
    // A blocking read of a closed terminal or a pod that hangs must not keep the program.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result.unwrap_or_else(|error| failed(&error))
}

/// Help and version are what was asked for; anything else is a wrong call, and ends as one does in `run`.
fn unparsed(error: &clap::Error) -> ExitCode {
    // The terminal may be closed; there is nobody left to tell then.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(terminal::USAGE) } else { ExitCode::SUCCESS }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // Standard error may be closed; there is nobody left to tell then.
    let _ = writeln!(std::io::stderr(), "meshtriage: {error:#}");
    ExitCode::FAILURE
}

async fn run_server(serve: &Serve) -> anyhow::Result<()> {
    telemetry::start(&serve.log, serve.log_format)?;
    let app = Arc::new(start::app(serve).await?);
    for note in &app.notes {
        tracing::warn!("{note}");
    }
    let listener = tokio::net::TcpListener::bind(serve.listen)
        .await
        .with_context(|| format!("cannot listen on {}", serve.listen))?;
    let address = listener.local_addr()?;
    if serve.log_format == LogFormat::Text {
        tracing::info!(%address, "listening on http://{address} (documentation at /docs)");
    } else {
        tracing::info!(%address, "listening on {address}");
    }
    let in_order = tokio::spawn(keep_in_order(Arc::clone(&app)));
    let tending = tokio::spawn(tend(Arc::clone(&app)));
    let bounds = Bounds {
        connections: serve.max_connections as usize,
        per_peer: serve.max_peer_connections as usize,
        grace: GRACE,
        ..Bounds::default()
    };
    let tls = start::tls(serve)?;
    let reloading = tokio::spawn(reload(Arc::clone(&app), tls.clone(), serve.keys_file.clone()));
    let operations = match serve.operations_listen {
        Some(address) => {
            let listener = tokio::net::TcpListener::bind(address).await;
            let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
            let router = api::operations_router(Arc::clone(&app));
            Some(tokio::spawn(api::serve(listener, router, std::future::pending(), Duration::ZERO)))
        }
        None => None,
    };
    api::serve_within(listener, api::router(Arc::clone(&app)), signal(), bounds, tls).await;
    app.background.stop(STOP).await;
    in_order.abort();
    tending.abort();
    reloading.abort();
    if let Some(operations) = operations {
        operations.abort();
    }
    app.history.close().await;
    Ok(())
}

/// Reads files again that may have changed: mounted Secrets are renewed under the service.
async fn reload(app: Arc<App>, tls: Option<Arc<Tls>>, keys: Option<PathBuf>) {
    let mut ticks = tokio::time::interval(RELOAD_EVERY);
    loop {
        ticks.tick().await;
        match tls.as_ref().map(|tls| tls.reload()) {
            None | Some(Ok(false)) => {}
            Some(Ok(true)) => tracing::info!("the certificate was renewed"),
            Some(Err(error)) => {
                tracing::warn!("the old certificate stays: {}", meshtriage::cluster::chain(&error));
            }
        }
        let (Some(path), Some(keys)) = (&keys, app.identify.keys()) else { continue };
        match start::reload_keys(path, keys) {
            Ok(false) => {}
            Ok(true) => tracing::info!("the API keys have changed"),
            Err(error) => tracing::warn!("the API keys stay as they were: {error:#}"),
        }
    }
}

/// Waits for SIGTERM or Ctrl-C.
async fn signal() {
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal can be waited for");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping");
}

/// Keeps the history and the files of runs in order, from the start on.
async fn keep_in_order(app: Arc<App>) {
    let mut started = Some(app.clock.now());
    let mut since_cleaned = CLEAN_EVERY;
    let mut ticks = tokio::time::interval(runs::LEASE / 2);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let _ = ticks.tick().await;
        match runs::end_abandoned(&app, started).await {
            // Files of such runs are of no use.
            Ok(ended) if ended > 0 => since_cleaned = CLEAN_EVERY,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("runs whose process is gone were not ended: {}", meshtriage::cluster::chain(&error));
                continue;
            }
        }
        started = None;
        since_cleaned += runs::LEASE / 2;
        if since_cleaned >= CLEAN_EVERY {
            runs::clean(&app).await;
            since_cleaned = Duration::ZERO;
        }
    }
}

/// Deletes captures that have expired and what was left behind, and closes those that nobody uses: now and every minute.
async fn tend(app: Arc<App>) {
    let mut ticks = tokio::time::interval(TEND_EVERY);
    loop {
        ticks.tick().await;
        match app.uploads.tend().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "deleted {count} captures that had expired"),
            Err(error) => tracing::warn!("old captures were not deleted: {}", meshtriage::cluster::chain(&error)),
        }
    }
}
