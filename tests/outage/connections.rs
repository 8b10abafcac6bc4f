//! Others use all connections that the database has.

use costflame_store::testing::Postgres;
use sqlx::{Connection, PgConnection};

use crate::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_free_connection_is_waited_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start_with(&["fsync=off", "max_connections=20"]);
    let scene = Scene::start(folder.path(), &postgres.url());
    let mut others = Vec::new();
    take_all(&postgres, &mut others).await;
    // Its own connections break, and others are quicker.
    let broken = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'costflame'";
    sqlx::raw_sql(broken)
        .execute(&mut others[0])
        .await
        .expect("they end");
    let taking = async {
        loop {
            take_all(&postgres, &mut others).await;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = taking => {}
        () = scene.wait_for_trouble("too many clients", "the database is unavailable") => {}
    }
    drop(others);
    scene.assert_recovery().await;
}

async fn take_all(postgres: &Postgres, taken: &mut Vec<PgConnection>) {
    while let Ok(connection) = PgConnection::connect(&postgres.url()).await {
        taken.push(connection);
    }
}
