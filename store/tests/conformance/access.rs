//! Projects, keys, users, sessions, saved views, and the log of who changed them.

use costflame_store::{
    Act, ApiKey, DEFAULT_PROJECT, KeyScope, MOST_VIEWS, Method, OutboxRow, PROJECT_TABLES, Role,
    SavedView, Session, User,
};
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::support::{
    Database, NOW_US, call, count, everything, plain, settle, tables_of_projects,
};

crate::on_both!(
    projects_have_names_of_their_own,
    keys_end_once,
    a_deleted_project_leaves_nothing_and_the_others_everything,
    users_have_a_role_and_a_password,
    sessions_end_with_their_time_and_their_user,
    views_are_shared_within_a_project,
    acts_are_written_down_once_and_for_all,
);

/// Somebody at a time.
fn at(at_us: i64) -> Act {
    Act {
        at_us,
        actor: "cli root".to_owned(),
        peer: "here".to_owned(),
        project: None,
        act: "test",
        target: String::new(),
    }
}

async fn projects_have_names_of_their_own(db: Database) {
    let first = db.store.projects().await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].id, &*first[0].name), (DEFAULT_PROJECT, "default"));

    let search = db.store.create_project("search", &at(5)).await.unwrap();
    let search = search.expect("the name was free");
    assert_eq!((&*search.name, search.created_us), ("search", 5));
    assert_ne!(search.id, DEFAULT_PROJECT);
    assert_eq!(
        db.store.create_project("search", &at(6)).await.unwrap(),
        None
    );
    let hostile = "'); DROP TABLE projects; --";
    let created = db.store.create_project(hostile, &at(7)).await.unwrap();
    assert!(created.is_some());

    let names: Vec<_> = db.store.projects().await.unwrap();
    let names: Vec<_> = names.iter().map(|project| &*project.name).collect();
    assert_eq!(names, ["default", "search", hostile]);
}

async fn keys_end_once(db: Database) {
    let key = |id: &str, scope| ApiKey {
        id: id.to_owned(),
        project: 2,
        scope,
        hash: [7; 32],
        label: "of the crawler".to_owned(),
        created_us: 5,
        used_us: None,
        revoked_us: None,
    };
    let (a, b) = (key("a", KeyScope::Ingest), key("b", KeyScope::Metrics));
    db.store.put_key(&a, &at(5)).await.unwrap();
    db.store.put_key(&b, &at(5)).await.unwrap();
    let again = db.store.put_key(&a, &at(5)).await;
    assert!(again.is_err(), "an id is used once");
    assert_eq!(db.store.api_keys().await.unwrap(), [a.clone(), b.clone()]);

    assert!(db.store.revoke_key("a", &at(9)).await.unwrap());
    assert!(!db.store.revoke_key("a", &at(10)).await.unwrap());
    assert!(!db.store.revoke_key("c", &at(10)).await.unwrap());
    let used = [("b".to_owned(), 20), ("a".to_owned(), 30)];
    db.store.note_key_use(&used).await.unwrap();
    // Another server may be late with an earlier use.
    db.store
        .note_key_use(&[("b".to_owned(), 10)])
        .await
        .unwrap();
    let a = ApiKey {
        revoked_us: Some(9),
        used_us: Some(30),
        ..a
    };
    let b = ApiKey {
        used_us: Some(20),
        ..b
    };
    assert_eq!(db.store.api_keys().await.unwrap(), [a, b]);
}

async fn a_deleted_project_leaves_nothing_and_the_others_everything(db: Database) {
    let search = db.store.create_project("search", &at(5)).await.unwrap();
    let search = search.expect("the name was free").id;
    let key = ApiKey {
        id: "a".to_owned(),
        project: search,
        scope: KeyScope::Ingest,
        hash: [7; 32],
        label: String::new(),
        created_us: 5,
        used_us: None,
        revoked_us: None,
    };
    db.store.put_key(&key, &at(5)).await.unwrap();
    let data = |project| {
        let mut rows = vec![plain(1, 1, 0), call(1, 2, 1, 10), call(2, 1, 0, 20)];
        rows[1].span.attribution = everything();
        rows.iter_mut().for_each(|row| row.project = project);
        let request = OutboxRow {
            project,
            received_us: 1,
            signal: 0,
            codec: 0,
            items: 3,
            raw_bytes: 1,
            body: vec![1],
            deliveries: vec![("a".into(), 0), ("b".into(), 0)],
        };
        (rows, [request])
    };
    let (rows, requests) = data(DEFAULT_PROJECT);
    db.store.commit(&rows, &requests).await.unwrap();
    settle(&db.store).await;
    while db.store.fold(100).await.unwrap() > 0 {}
    let of = |project: i32| {
        let url = db.url.clone();
        async move {
            let mut rows = Vec::new();
            for table in tables_of_projects(&url).await {
                let sql = format!("SELECT count(*) FROM {table} WHERE project_id = {project}");
                let rows_there = count(&url, &sql).await;
                rows.extend((rows_there > 0).then_some((table, rows_there)));
            }
            rows
        }
    };
    let (kept, dump) = (of(DEFAULT_PROJECT).await, db.dump().await);

    let (rows, requests) = data(search);
    db.store.commit(&rows, &requests).await.unwrap();
    settle(&db.store).await;
    // Some of it is folded, some not, and some has not settled.
    db.store.fold(2).await.unwrap();
    db.store.commit(&rows[..1], &[]).await.unwrap();
    assert!(of(search).await.len() > 12, "{:?}", of(search).await);

    assert_eq!(db.store.revoke_keys_of(search, 9).await.unwrap(), 1);
    assert!(db.store.delete_project(search, NOW_US).await.unwrap() > 0);
    assert_eq!(of(search).await, []);
    let tables = tables_of_projects(&db.url).await;
    // What was done to it stays known.
    let is_new = |table: &&String| *table != "audit" && !PROJECT_TABLES.contains(&table.as_str());
    assert_eq!(
        tables.iter().find(is_new),
        None,
        "it is to be deleted from, too"
    );
    assert_eq!(db.store.delete_project(search, NOW_US).await.unwrap(), 0);
    assert_eq!(db.store.projects().await.unwrap().len(), 1);
    assert!(db.store.api_keys().await.unwrap().is_empty());
    let noted =
        "SELECT count(*) FROM deletions WHERE why = 'project' AND calls = 2 AND forwarded = 2";
    assert_eq!(count(&db.url, noted).await, 1);

    while db.store.fold(100).await.unwrap() > 0 {}
    assert_eq!((of(DEFAULT_PROJECT).await, db.dump().await), (kept, dump));
    assert_eq!(count(&db.url, "SELECT count(*) FROM outbox").await, 1);
    assert!(db.store.delete_project(DEFAULT_PROJECT, 1).await.is_err());
}

fn alice() -> User {
    User {
        name: "alice".to_owned(),
        password: "$argon2id$…".to_owned(),
        role: Role::Viewer,
        project: Some(2),
        created_us: 5,
    }
}

async fn users_have_a_role_and_a_password(db: Database) {
    let store = &db.store;
    let root = User {
        name: "root".to_owned(),
        role: Role::Admin,
        project: None,
        ..alice()
    };
    assert!(store.create_user(&root, &at(5)).await.unwrap());
    assert!(store.create_user(&alice(), &at(5)).await.unwrap());
    let taken = User {
        role: Role::Admin,
        ..alice()
    };
    assert!(!store.create_user(&taken, &at(6)).await.unwrap());
    assert_eq!(store.users().await.unwrap(), [alice(), root.clone()]);
    assert_eq!(store.user("alice").await.unwrap(), Some(alice()));
    assert_eq!(store.user("Alice").await.unwrap(), None);

    let changed = User {
        password: "other".to_owned(),
        role: Role::Editor,
        project: None,
        ..alice()
    };
    let act = at(7);
    let set = store.set_password("alice", "other", None, &act);
    assert!(set.await.unwrap());
    let act = at(7);
    let set = store.set_role("alice", Role::Editor, None, &act);
    assert!(set.await.unwrap());
    assert_eq!(store.user("alice").await.unwrap(), Some(changed));
    let act = at(7);
    let set = store.set_role("nobody", Role::Admin, None, &act);
    assert!(!set.await.unwrap());
    let act = at(7);
    let set = store.set_password("nobody", "other", None, &act);
    assert!(!set.await.unwrap());

    assert!(store.remove_user("alice", &at(8)).await.unwrap());
    assert!(!store.remove_user("alice", &at(9)).await.unwrap());
    assert_eq!(store.users().await.unwrap(), [root]);
}

fn session(number: u8, user: &str, method: Method) -> Session {
    Session {
        hash: [number; 32],
        id: format!("s{number}"),
        user: user.to_owned(),
        method,
        role: Role::Viewer,
        project: Some(2),
        peer: "127.0.0.1".to_owned(),
        created_us: i64::from(number),
        used_us: i64::from(number),
        ends_us: 1_000,
    }
}

async fn sessions_end_with_their_time_and_their_user(db: Database) {
    let store = &db.store;
    assert!(store.create_user(&alice(), &at(5)).await.unwrap());
    let first = session(1, "alice", Method::Password);
    store.open_session(&first, None, &at(1)).await.unwrap();
    assert_eq!(
        store.session(&[1; 32], 999).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(store.session(&[1; 32], 1_000).await.unwrap(), None, "ended");
    assert_eq!(store.session(&[9; 32], 999).await.unwrap(), None);

    // Use is noted and never goes back.
    store.note_session_use(&[1; 32], 50).await.unwrap();
    store.note_session_use(&[1; 32], 40).await.unwrap();
    let used = store.session(&[1; 32], 60).await.unwrap().unwrap();
    assert_eq!(used.used_us, 50);

    // A login takes the place of the session the browser had; another method is another person.
    let second = session(2, "alice", Method::Password);
    store
        .open_session(&second, Some(&[1; 32]), &at(2))
        .await
        .unwrap();
    let foreign = session(3, "alice", Method::OpenId);
    store.open_session(&foreign, None, &at(3)).await.unwrap();
    let ids = async |now_us| {
        let sessions = store.sessions(now_us).await.unwrap();
        sessions.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(60).await, ["s3", "s2"]);
    assert!(ids(1_000).await.is_empty());

    // Role and project are the user's of now where there is one.
    let act = at(7);
    let set = store.set_role("alice", Role::Admin, None, &act);
    assert!(set.await.unwrap());
    let now = store.session(&[2; 32], 60).await.unwrap().unwrap();
    assert_eq!((now.role, now.project), (Role::Admin, None));
    let now = store.session(&[3; 32], 60).await.unwrap().unwrap();
    assert_eq!((now.role, now.project), (Role::Viewer, Some(2)));

    // Another password ends the others of the user.
    let third = session(4, "alice", Method::Password);
    store.open_session(&third, None, &at(4)).await.unwrap();
    let act = at(8);
    let set = store.set_password("alice", "other", Some("s4"), &act);
    assert!(set.await.unwrap());
    assert_eq!(ids(60).await, ["s4", "s3"]);
    assert!(store.remove_user("alice", &at(9)).await.unwrap());
    assert_eq!(ids(60).await, ["s3"]);
    assert!(store.end_session("s3", &at(10)).await.unwrap());
    assert!(!store.end_session("s3", &at(11)).await.unwrap());
    assert!(ids(60).await.is_empty());

    // However often somebody logs in, the table stays small.
    for number in 0..110 {
        let one = session(number, "bob", Method::OpenId);
        store.open_session(&one, None, &at(1)).await.unwrap();
    }
    let left = ids(200).await;
    assert_eq!((left.len(), &*left[0], &*left[99]), (100, "s109", "s10"));
}

async fn views_are_shared_within_a_project(db: Database) {
    let store = &db.store;
    let view = |name: &str, address: &str| SavedView {
        name: name.to_owned(),
        address: address.to_owned(),
        saved_by: "alice".to_owned(),
        saved_us: 7,
    };
    let save = async |project, view| store.save_view(project, &view).await.unwrap();
    assert!(save(1, view("week", "/?range=7d")).await);
    assert!(save(1, view("week", "/traces")).await, "in its place");
    assert!(save(2, view("week", "/models")).await);
    assert_eq!(
        store.saved_views(1).await.unwrap(),
        [view("week", "/traces")]
    );
    assert!(!store.forget_view(1, "day").await.unwrap());
    assert!(store.forget_view(1, "week").await.unwrap());
    assert!(store.saved_views(1).await.unwrap().is_empty());
    assert_eq!(
        store.saved_views(2).await.unwrap(),
        [view("week", "/models")]
    );

    for number in 1..MOST_VIEWS {
        assert!(save(2, view(&number.to_string(), "/")).await);
    }
    assert!(!save(2, view("one more", "/")).await, "there are too many");
    assert!(save(2, view("week", "/live")).await, "this is no other one");
}

async fn acts_are_written_down_once_and_for_all(db: Database) {
    let store = &db.store;
    let act = |at_us, project| Act {
        project,
        target: format!("{at_us}"),
        ..at(at_us)
    };
    store.create_user(&alice(), &act(1, Some(2))).await.unwrap();
    store.create_user(&alice(), &act(2, Some(2))).await.unwrap();
    store
        .note(&act(3, None), "refused: no such model")
        .await
        .unwrap();
    let read = async |project, before, limit| {
        let lines = store.audit(project, before, limit).await.unwrap();
        let short = lines
            .iter()
            .map(|line| format!("{} {}", line.target, line.result));
        (short.collect::<Vec<_>>(), lines.last().map(|line| line.id))
    };
    let (all, _) = read(None, None, 9).await;
    assert_eq!(
        all,
        ["3 refused: no such model", "2 nothing changed", "1 done"]
    );
    assert_eq!(
        read(Some(2), None, 9).await.0,
        ["2 nothing changed", "1 done"]
    );
    let (page, last) = read(None, None, 2).await;
    assert_eq!(page, all[..2]);
    assert_eq!(read(None, last, 2).await.0, all[2..]);
    assert!(read(Some(1), None, 9).await.0.is_empty());

    for change in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let refused = if db.url.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&db.url).await.unwrap();
            let done = sqlx::query(change).execute(&mut connection).await;
            done.map(|_| ())
        } else {
            let mut connection = PgConnection::connect(&db.url).await.unwrap();
            let done = sqlx::query(change).execute(&mut connection).await;
            done.map(|_| ())
        };
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("append only"), "{error}");
    }
    assert_eq!(read(None, None, 9).await.0, all);
}
