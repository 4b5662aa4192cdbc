-- The queue of runs: who asked for what, who carries it out, and what there is of it already.

-- A run that has not ended. Times are those of the database's own clock, so that the clocks of replicas do not matter.
create table run_queue (
    run_id text not null primary key references run (run_id) on delete cascade,
    -- The cluster of the service, whichever capture the run reads.
    cluster text not null,
    requested_by text not null,
    -- As whom the run reads, as JSON.
    caller text not null,
    -- What to carry out, as JSON. Gone with this row when the run has ended.
    plan text not null,
    -- Equal for plans that are equal and may be joined; null for one that must be carried out by itself.
    plan_key text,
    -- The order in which runs are begun: callers take turns.
    turn bigint not null,
    -- 0: costs little. 1: waits for the one place that a cluster has for runs that ask all proxies. 2: holds it. 3: changes
    -- the cluster, which one run does at a time.
    weight bigint not null,
    attempts bigint not null,
    -- The process that carries it out, which renews the lease as long as it lives.
    holder text,
    held_until bigint,
    -- 1 when somebody has asked to cancel the run, at whichever replica.
    cancel bigint not null,
    progress text not null
);

create index run_queue_turn on run_queue (cluster, turn, run_id);
create index run_queue_caller on run_queue (cluster, requested_by, turn);
create index run_queue_plan on run_queue (cluster, plan_key) where plan_key is not null;
create unique index run_queue_heavy on run_queue (cluster) where weight = 2;
create unique index run_queue_change on run_queue (cluster) where weight = 3;

-- What came of each step of a run, as it came.
create table run_part (
    run_id text not null references run (run_id) on delete cascade,
    place bigint not null,
    step text not null,
    -- How the step went, as the run's answer says it.
    about text not null,
    -- What the run had used of the cluster by then: who may read it is who may do all of this.
    access text not null,
    -- The step's whole answer, packed.
    answer bytea,
    primary key (run_id, place)
);

-- What happened to a run, for those who watch it.
create table run_event (
    run_id text not null references run (run_id) on delete cascade,
    seq bigint not null,
    kind text not null,
    data text not null,
    primary key (run_id, seq)
);

-- The whole answer of a run, packed. Apart from the run, so that lists do not read over it.
create table run_answer (
    run_id text not null primary key references run (run_id) on delete cascade,
    bytes bigint not null,
    answer bytea not null
);

alter table run add column labels text;

create table run_label (
    run_id text not null references run (run_id) on delete cascade,
    name text not null,
    value text not null,
    primary key (run_id, name)
);

-- Held runs in the background before there was a queue.
drop table run_lease;
