-- Runs that are carried out in the background.

-- Whose run it is while it is not finished. It is renewed as long as its process lives.
create table run_lease (
    run_id text not null primary key references run (run_id) on delete cascade,
    cluster text not null,
    step text not null,
    requested_by text not null,
    held_until bigint not null,
    -- 1 when somebody has asked to cancel the run, at whichever replica.
    cancel bigint not null,
    progress text not null
);

-- Each caller has one at a time of each step.
create unique index run_lease_caller on run_lease (cluster, step, requested_by);

-- Files that a run has left.
create table run_artifact (
    run_id text not null references run (run_id) on delete cascade,
    name text not null,
    bytes bigint not null,
    sha256 text not null,
    content_type text not null,
    primary key (run_id, name)
);

-- Requests that must not be carried out twice, by the key that the caller gave them.
create table run_request (
    cluster text not null,
    requested_by text not null,
    idempotency_key text not null,
    -- Of what was asked for, so that one key is not used for two things.
    fingerprint text not null,
    run_id text not null references run (run_id) on delete cascade,
    primary key (cluster, requested_by, idempotency_key)
);

create index run_request_run on run_request (run_id);
