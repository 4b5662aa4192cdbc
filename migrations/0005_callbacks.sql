-- Who is told of what, and what is carried out when.

-- Where messages go. What opens it is sealed with the service's key and never shown.
create table callback (
    callback_id text not null primary key,
    cluster text not null,
    name text not null,
    -- The run whose end it waits for; null for one that subscriptions name.
    run_id text references run (run_id) on delete cascade,
    -- Host and port, for people.
    host text not null,
    -- URL, secret and headers, sealed.
    target text not null,
    -- cloud_event or slack
    kind text not null,
    created_by text not null,
    created_at bigint not null,
    -- Messages given up since the last that arrived.
    failures bigint not null,
    disabled bigint not null
);

create index callback_cluster on callback (cluster, created_at, callback_id);
create index callback_run on callback (run_id) where run_id is not null;

-- Who wants to hear of what.
create table subscription (
    subscription_id text not null primary key,
    cluster text not null,
    callback_id text not null references callback (callback_id) on delete cascade,
    -- As whom it hears: of nothing that this caller may not read.
    caller text not null,
    -- Kinds of events, filters and quiet hours, as JSON.
    wanted text not null,
    created_by text not null,
    created_at bigint not null
);

create index subscription_cluster on subscription (cluster, created_at, subscription_id);

-- What a subscription was told last of one cause.
create table subscription_told (
    subscription_id text not null references subscription (subscription_id) on delete cascade,
    cause text not null,
    told_at bigint not null,
    primary key (subscription_id, cause)
);

-- Messages, on their way or sent.
create table delivery (
    delivery_id text not null primary key,
    cluster text not null,
    callback_id text not null references callback (callback_id) on delete cascade,
    event text not null,
    body text not null,
    -- waiting, delivered or failed
    state text not null,
    attempts bigint not null,
    -- By the database's clock.
    next_at bigint not null,
    created_at bigint not null,
    -- What the receiver answered last, or why there was no answer.
    last_status bigint,
    last_error text
);

create index delivery_due on delivery (cluster, state, next_at);
create index delivery_callback on delivery (callback_id, created_at, delivery_id);

create table schedule (
    schedule_id text not null primary key,
    cluster text not null,
    name text not null,
    -- What to carry out and when, as JSON.
    wanted text not null,
    created_by text not null,
    created_at bigint not null,
    -- The next time, by the service's clock, since that is what the expression is about.
    next_at bigint not null,
    last_run text
);

create index schedule_due on schedule (cluster, next_at);
