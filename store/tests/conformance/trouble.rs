//! What goes wrong is said in one sentence, and retryable exactly when waiting can help.

use costflame_store::{Options, Store, StoreError, testing};
use tempfile::TempDir;

use crate::support::{Database, call, execute, key, plain, settle, verify};

crate::on_both!(
    a_newer_schema_is_refused,
    a_missing_table_is_not_the_rows_fault,
    changed_rows_are_found
);

async fn connect(url: &str) -> Result<Store, StoreError> {
    Store::connect(url, &Options::default()).await
}

#[tokio::test]
async fn a_bad_url_says_what_a_good_one_is() {
    for url in [
        "",
        "sqlite:",
        "sqlite://",
        "mysql://localhost/x",
        "postgres://:not a port:/x",
        "/data/costflame.db",
    ] {
        let error = connect(url).await.unwrap_err();
        assert!(matches!(error, StoreError::BadUrl(_)), "{url}: {error}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let folder = TempDir::new().unwrap();
    let missing = format!("sqlite://{}/nowhere/test.db", folder.path().display());
    let error = connect(&missing).await.unwrap_err();
    assert!(
        error.to_string().contains("nowhere does not exist"),
        "{error}"
    );

    let error = connect(&format!("sqlite://{}", folder.path().display()))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&folder.path().display().to_string()),
        "{error}"
    );

    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database, however long it is").unwrap();
    let error = connect(&format!("sqlite://{}", text.display()))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Corrupt(why) if why.contains("text.db")),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = connect(&format!("postgres://nobody@127.0.0.1:{port}/nothing"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn an_outage_is_survived() {
    let server = testing::Postgres::start();
    let store = connect(&server.url()).await.unwrap();
    store.commit(&[call(1, 1, 0, 5)], &[]).await.unwrap();
    server.stop();
    for _ in 0..3 {
        let error = store.commit(&[plain(1, 2, 1)], &[]).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(store.ping().await.is_err());
    }
    server.start_again();
    while store.commit(&[plain(1, 3, 1)], &[]).await.is_err() {}
    assert_eq!(store.landed(key(1)).await.unwrap().len(), 2);
    settle(&store).await;
    verify(&store).await;
}

async fn a_newer_schema_is_refused(db: Database) {
    let checksum = if db.url.starts_with("sqlite") {
        "x'00'"
    } else {
        "'\\x00'"
    };
    let sql = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', true, {checksum}, 0)"
    );
    execute(&db.url, &sql).await;
    let error = connect(&db.url).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema(9999)), "{error}");
    assert!(!error.is_retryable());
}

async fn a_missing_table_is_not_the_rows_fault(db: Database) {
    let store = connect(&db.url).await.unwrap();
    execute(&db.url, "ALTER TABLE dirty RENAME TO elsewhere").await;
    let error = store.commit(&[plain(1, 1, 0)], &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
    execute(&db.url, "ALTER TABLE elsewhere RENAME TO dirty").await;
    store.commit(&[plain(1, 1, 0)], &[]).await.unwrap();
    assert_eq!(store.landed(key(1)).await.unwrap().len(), 1);
}

async fn changed_rows_are_found(db: Database) {
    let mut rows = [
        plain(1, 1, 0),
        call(1, 2, 1, 5),
        call(2, 1, 0, 9),
        call(3, 1, 0, 1),
    ];
    for row in &mut rows[1..3] {
        row.span.call.as_mut().unwrap().response_id = Some("chatcmpl-BxUjD2pQk81tqWvEr7yTz".into());
    }
    rows[1].span.attribution = crate::support::everything();
    let one_of = |column: &str| {
        if db.url.starts_with("sqlite") {
            format!("{column}_lo = {column}_lo + 1")
        } else {
            format!("{column} = {column} + 1")
        }
    };
    let changes = [
        ("calls", "UPDATE calls SET cost = cost + 1".to_owned()),
        ("calls", "UPDATE calls SET tokens_output = 1000".to_owned()),
        (
            "calls",
            "UPDATE calls SET why = 0, instead_trace_id = NULL WHERE why > 0".to_owned(),
        ),
        (
            "calls",
            "UPDATE calls SET lost_response = NULL, why = 0 WHERE why > 0".to_owned(),
        ),
        (
            "calls",
            "UPDATE calls SET service = service || '!'".to_owned(),
        ),
        ("calls", "DELETE FROM calls WHERE why > 0".to_owned()),
        ("traces", format!("UPDATE traces SET {}", one_of("cost"))),
        ("traces", "UPDATE traces SET spans = spans + 1".to_owned()),
        ("traces", "DELETE FROM traces".to_owned()),
        ("claims", "DELETE FROM claims".to_owned()),
        (
            "claims",
            "UPDATE claims SET order_key = order_key - 1".to_owned(),
        ),
        (
            "rollups",
            format!(
                "UPDATE rollups SET {} WHERE tier = 3600",
                one_of("tokens_input")
            ),
        ),
        (
            "rollups",
            "DELETE FROM rollups WHERE tier = 86400".to_owned(),
        ),
        ("dim_rollups", "DELETE FROM dim_rollups".to_owned()),
        ("dim_paths", "DELETE FROM dim_paths".to_owned()),
        (
            "dim_totals",
            "DELETE FROM dim_totals WHERE tier = 3600".to_owned(),
        ),
        (
            "trace_rollups",
            "UPDATE trace_rollups SET traces = traces + 1 WHERE tier = 900".to_owned(),
        ),
        (
            "sampled_calls",
            "INSERT INTO sampled_calls (start_us, project_id, start_day, flags, lane, why, error, trace_id, span_id, path_id, \
             series_id) SELECT start_us, project_id, start_day, flags, lane, why, error, trace_id, span_id, path_id, series_id \
             FROM calls WHERE lane > 1"
                .to_owned(),
        ),
        ("paths and series", "DELETE FROM paths".to_owned()),
        ("paths and series", "DELETE FROM series".to_owned()),
    ];
    for (table, sql) in &changes {
        let db = db.fresh().await;
        db.store.commit(&rows, &[]).await.unwrap();
        settle(&db.store).await;
        while db.store.fold(100).await.unwrap() > 0 {}
        verify(&db.store).await;
        execute(&db.url, sql).await;
        let found = db.store.verify().await.unwrap();
        assert!(found.count > 0, "{sql}");
        assert!(
            found
                .differences
                .iter()
                .any(|difference| difference.table == *table),
            "{sql}: {:?}",
            found.differences
        );
    }
}
