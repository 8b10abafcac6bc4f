//! Postgres is restarted: as an administrator does, at once, by kill -9.

use costflame_store::testing::Postgres;

use crate::{Scene, wait_for_readiness};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_back_is_used_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let postgres = Postgres::start();
    let scene = Scene::start(folder.path(), &postgres.url());
    for end in [Postgres::shut_down, Postgres::stop, Postgres::kill] {
        end(&postgres);
        scene
            .wait_for_trouble(
                "the database cannot be reached",
                "the database is unavailable",
            )
            .await;
        postgres.start_again();
        scene.clients.wait_for_more();
        wait_for_readiness(&scene.server, 200, "").await;
    }
    scene.assert_recovery().await;
}
