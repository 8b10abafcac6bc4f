//! Databases and spans for the cases.

use std::sync::Arc;

use costflame_pricing::{CatalogId, Receipt, TokenClass, Usage, Usd};
use costflame_profile::{
    Attribution, Call, FrameKind, Role, Signal, Span, SpanId, SpanKind, TraceId,
};
use costflame_store::{
    Due, LandingRow, MarkId, Options, Sent, SettleReport, Store, TraceKey, testing,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

/// A database of its own for one case.
pub(crate) struct Database {
    pub(crate) store: Store,
    pub(crate) url: String,
    _folder: Option<TempDir>,
}

impl Database {
    pub(crate) async fn sqlite() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        Self::open(url, Some(folder)).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::open(testing::postgres_database().await, None).await
    }

    async fn open(url: String, folder: Option<TempDir>) -> Self {
        let store = Store::connect(&url, &Options::default())
            .await
            .expect("the database opens");
        Self {
            store,
            url,
            _folder: folder,
        }
    }

    /// Another empty database of the same kind.
    pub(crate) async fn fresh(&self) -> Self {
        if self.url.starts_with("sqlite") {
            Self::sqlite().await
        } else {
            Self::postgres().await
        }
    }

    /// Every settled row.
    pub(crate) async fn dump(&self) -> Vec<String> {
        self.store.dump().await.expect("a dump")
    }

    /// A second program on the same database.
    pub(crate) async fn another(&self) -> Store {
        Store::connect(&self.url, &Options::default())
            .await
            .expect("the database opens twice")
    }
}

/// The collectors' clock.
pub(crate) const NOW_US: i64 = NOON_US + 60_000_000;

/// Settles everything that is dirty.
pub(crate) async fn settle(store: &Store) -> SettleReport {
    let leases = store
        .lease_lanes("test", NOW_US, 60_000_000)
        .await
        .expect("lanes");
    let lanes: Vec<i16> = leases.iter().map(|lease| lease.lane).collect();
    let page = store
        .marks_after(&lanes, MarkId::default(), 1_000_000)
        .await
        .expect("marks");
    store
        .settle(&leases, &Due::of(&page.marks))
        .await
        .expect("settled")
}

/// Nothing stored differs from what its sources say.
pub(crate) async fn verify(store: &Store) {
    let verified = store.verify().await.expect("a check");
    assert_eq!(verified.differences, []);
    assert_eq!(verified.count, 0);
}

/// Noon of a day that is not today.
pub(crate) const NOON_US: i64 = 1_763_812_800_000_000;

pub(crate) fn trace_id(number: u8) -> TraceId {
    TraceId([number; 16])
}

pub(crate) fn span_id(number: u8) -> SpanId {
    SpanId([number; 8])
}

pub(crate) fn key(number: u8) -> TraceKey {
    TraceKey {
        project: 1,
        trace_id: trace_id(number),
    }
}

/// A plain span: trace, span and parent by number; 0 is no parent.
pub(crate) fn plain(trace: u8, span: u8, parent: u8) -> LandingRow {
    let span = Span {
        trace_id: trace_id(trace),
        span_id: span_id(span),
        parent_span_id: (parent != 0).then(|| span_id(parent)),
        service: "shop".into(),
        kind: FrameKind::Step,
        label: format!("step {span}").into(),
        span_kind: SpanKind::Internal,
        start_us: NOON_US + i64::from(span) * 1000,
        end_us: NOON_US + i64::from(span) * 1000 + 500,
        error: false,
        role: Role::Plain,
        call: None,
        attribution: Arc::default(),
        above: Vec::new(),
        signal: Signal::Span,
        emitter: "app@1.0".into(),
        instance: None,
        links: Vec::new(),
        attribute_count: 3,
        content_hash: u64::MAX - u64::from(span),
        weight_milli: 1000,
    };
    LandingRow {
        project: 1,
        received_us: NOON_US + 1_000_000,
        span,
        receipt: None,
        sent: Sent::default(),
    }
}

/// A model call that costs `pico`.
pub(crate) fn call(trace: u8, span: u8, parent: u8, pico: i64) -> LandingRow {
    let mut row = plain(trace, span, parent);
    let mut usage = Usage::default();
    usage.set(TokenClass::Input, 100);
    usage.set(TokenClass::Output, u64::from(span));
    row.receipt = Some(Receipt {
        usage,
        cost: Some(Usd(pico)),
        catalog: CatalogId([7; 8]),
        ..Receipt::default()
    });
    row.span.role = Role::Call;
    row.span.kind = FrameKind::Model;
    row.span.span_kind = SpanKind::Client;
    row.span.call = Some(Call {
        operation: Some("chat".into()),
        provider: Some("openai".into()),
        request_model: Some("gpt-4o".into()),
        response_model: Some("gpt-4o-2024-08-06".into()),
        response_id: Some(format!("chatcmpl-{trace}-{span}").into()),
        usage,
        cost: Some(Usd(pico)),
    });
    row
}

/// Attribution with something in every field.
pub(crate) fn everything() -> Arc<Attribution> {
    Arc::new(Attribution {
        environment: Some("prod".into()),
        feature: Some("chat".into()),
        user: Some("u1".into()),
        session: Some("s1".into()),
        agent: Some("planner".into()),
        tool: Some("search".into()),
        prompt: Some("greet".into()),
        prompt_version: Some("3".into()),
        tags: vec![("team".into(), "blue".into()), ("tier".into(), "".into())],
    })
}

/// Changes the database behind the store's back.
pub(crate) async fn execute(url: &str, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await.expect("a connection");
        sql.execute(&mut connection).await.expect("a statement");
        connection.close().await.expect("closed");
    } else {
        let mut connection = PgConnection::connect(url).await.expect("a connection");
        sql.execute(&mut connection).await.expect("a statement");
    }
}

/// The number that a statement selects.
pub(crate) async fn count(url: &str, sql: &str) -> i64 {
    let sql = AssertSqlSafe(sql.to_owned());
    if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await.expect("a connection");
        let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
        count.expect("a number")
    } else {
        let mut connection = PgConnection::connect(url).await.expect("a connection");
        let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
        count.expect("a number")
    }
}

/// Names of all tables with rows of projects; of partitioned ones their own.
pub(crate) async fn tables_of_projects(url: &str) -> Vec<String> {
    if url.starts_with("sqlite") {
        let sql = "SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c \
                   WHERE m.type = 'table' AND c.name = 'project_id' ORDER BY 1";
        let mut connection = SqliteConnection::connect(url).await.expect("a connection");
        let names = sqlx::query_scalar(sql).fetch_all(&mut connection).await;
        names.expect("names")
    } else {
        let sql = "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                   WHERE a.attname = 'project_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
                   AND c.relnamespace = current_schema()::regnamespace ORDER BY 1";
        let mut connection = PgConnection::connect(url).await.expect("a connection");
        let names = sqlx::query_scalar(sql).fetch_all(&mut connection).await;
        names.expect("names")
    }
}
