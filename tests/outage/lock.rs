//! Another session keeps a table locked.

use costflame_store::testing::Postgres;
use sqlx::{Connection, PgConnection};

use crate::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_table_is_waited_for_with_few_connections() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start();
    let scene = Scene::start(folder.path(), &postgres.url());
    let mut other = PgConnection::connect(&postgres.url())
        .await
        .expect("the server answers");
    let mut holding = other.begin().await.expect("a transaction");
    sqlx::raw_sql("LOCK TABLE landing, calls IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *holding)
        .await
        .expect("a lock");
    let locked = "the database is locked by another process";
    scene.wait_for_trouble(locked, locked).await;
    // Nobody's connection is left waiting for the lock behind a client that has given up.
    let connections: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'costflame'",
    )
    .fetch_one(&mut *holding)
    .await
    .expect("a number");
    assert!(connections <= 10, "{connections} connections");
    holding.rollback().await.expect("the lock is gone");
    scene.assert_recovery().await;
}
