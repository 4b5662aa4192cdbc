-- Findings over time: one row for each fingerprint, whatever becomes of the runs that saw it.

create table finding (
    cluster text not null,
    fingerprint text not null,
    code text not null,
    severity text not null,
    kind text not null,
    namespace text,
    name text not null,
    message text not null,
    first_seen bigint not null,
    last_seen bigint not null,
    first_run text not null,
    last_run text not null,
    -- new, persisting, reopened or resolved
    state text not null,
    -- When it became new, reopened or resolved.
    changed_at bigint not null,
    -- The run that looked for it and did not find it.
    resolved_run text,
    -- What the step used that saw it last: who may read it is who may do all of this.
    access text not null,
    primary key (cluster, fingerprint)
);

create index finding_newest on finding (cluster, changed_at, fingerprint);

-- Which step, asked for what, has seen a finding: only the same can tell that it is gone.
create table finding_check (
    cluster text not null,
    step text not null,
    inputs text not null,
    fingerprint text not null,
    -- What it could not see when it saw the finding, as JSON.
    gaps text not null,
    primary key (cluster, step, inputs, fingerprint),
    foreign key (cluster, fingerprint) references finding (cluster, fingerprint) on delete cascade
);

create index finding_check_finding on finding_check (cluster, fingerprint);

create table finding_event (
    cluster text not null,
    fingerprint text not null,
    at bigint not null,
    run_id text not null,
    state text not null,
    primary key (cluster, fingerprint, at, run_id, state),
    foreign key (cluster, fingerprint) references finding (cluster, fingerprint) on delete cascade
);

-- What somebody has decided to live with.
create table suppression (
    suppression_id text not null primary key,
    cluster text not null,
    -- Each that is given must fit: a code, a kind, a namespace, a name, or one finding.
    code text,
    kind text,
    namespace text,
    name text,
    fingerprint text,
    reason text not null,
    created_by text not null,
    created_at bigint not null,
    expires_at bigint
);

create index suppression_cluster on suppression (cluster, created_at, suppression_id);
