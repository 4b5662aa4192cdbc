-- What runs found. One text for SQLite and PostgreSQL: ids and JSON are text, times are milliseconds since 1970.

create table run (
    run_id text not null primary key,
    cluster text not null,
    step text not null,
    state text not null,
    verdict text,
    completeness text,
    requested_by text not null,
    reason text,
    inputs text not null,
    access text not null,
    started_at bigint not null,
    duration_ms bigint,
    errors bigint not null,
    warnings bigint not null,
    infos bigint not null,
    summary text not null,
    error text,
    namespaces text not null,
    expires_at bigint,
    -- Last, because it is large: SQLite then lists runs without reading it.
    answer text
);

create index run_newest on run (cluster, started_at, run_id);
create index run_expiring on run (cluster, expires_at) where expires_at is not null;

-- The namespaces once more, to search by.
create table run_namespace (
    run_id text not null references run (run_id) on delete cascade,
    namespace text not null,
    primary key (run_id, namespace)
);

create table run_finding (
    run_id text not null references run (run_id) on delete cascade,
    -- Its place in the answer.
    place bigint not null,
    cluster text not null,
    code text not null,
    severity text not null,
    fingerprint text not null,
    kind text not null,
    namespace text,
    name text not null,
    message text not null,
    primary key (run_id, place)
);

create index run_finding_code on run_finding (run_id, code);
create index run_finding_fingerprint on run_finding (cluster, fingerprint);
