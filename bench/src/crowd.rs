//! A thousand connections that do not behave, and one client that does: is it served, how soon, in how much memory?

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use costflame_bench::load::Body;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    figures::Figures,
    target::{Database, Server},
};

/// Bytes of the largest requests: as many as a request may have.
const HUGE: usize = 64 << 20;

/// How a connection misbehaves.
#[derive(Clone, Copy)]
enum Habit {
    /// Says nothing.
    Silent,
    /// Promises a mebibyte and sends some bytes of it now and then.
    Slow,
    /// Sends the largest requests there may be, one after the other.
    Huge,
    /// Sends small requests and never reads an answer.
    Deaf,
}

const HABITS: [Habit; 4] = [Habit::Silent, Habit::Slow, Habit::Huge, Habit::Deaf];

/// Runs the crowd for a time beside a client that sends 20 requests of 10 spans a second.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) async fn measure(
    figures: &mut Figures,
    database: &Database,
    connections: usize,
    time: Duration,
) -> Result<()> {
    let server = Server::start(database)?;
    let address = server
        .http
        .strip_prefix("http://")
        .context("no address")?
        .to_owned();
    let small = Body::new(3, 1, 1_795_388_725_000_000_000);
    let mut crowd = JoinSet::new();
    let sent = Arc::new(AtomicU64::new(0));
    for number in 0..connections {
        let (address, sent, small) = (address.clone(), Arc::clone(&sent), small.clone());
        // Few are huge, or sending would be all that two cores do.
        let habit = match HABITS[number % HABITS.len()] {
            Habit::Huge if number % 40 != 2 => Habit::Slow,
            habit => habit,
        };
        crowd.spawn(async move {
            // Whoever is cut off comes back.
            loop {
                let _ = misbehave(habit, &address, &small, &sent).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (mut latencies, mut refused) = (Vec::new(), 0_u64);
    let start = Instant::now();
    let mut round = 1_u64 << 40;
    while start.elapsed() < time {
        // A connection of its own each time: new ones have to get in, too.
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()?;
        round += 1;
        let began = Instant::now();
        let request = client
            .post(format!("http://{address}/v1/traces"))
            .header("content-type", "application/x-protobuf")
            .body(small.stamped(round));
        match request.send().await {
            Ok(answer) if answer.status() == 200 => {
                latencies.push(began.elapsed().as_secs_f64() * 1e3);
            }
            _ => refused += 1,
        }
        tokio::time::sleep(Duration::from_millis(50).saturating_sub(began.elapsed())).await;
    }
    crowd.shutdown().await;
    ensure!(!latencies.is_empty(), "the client was never served");
    latencies.sort_by(f64::total_cmp);
    let subject = format!(
        "{}, {connections} connections that misbehave",
        database.name()
    );
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    figures.add(&subject, "served", latencies.len() as f64);
    figures.add(&subject, "refused_with_a_delay_or_failed", refused as f64);
    figures.add(&subject, "ack_p50_ms", at(50));
    figures.add(&subject, "ack_p99_ms", at(99));
    figures.add(
        &subject,
        "crowd_mib_sent",
        sent.load(Ordering::Relaxed) as f64 / f64::from(1 << 20),
    );
    figures.add(&subject, "collector_peak_rss_mib", server.memory_mib()?.1);
    Ok(())
}

async fn misbehave(
    habit: Habit,
    address: &str,
    small: &Body,
    sent: &AtomicU64,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let head = |length: usize| {
        format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    match habit {
        Habit::Silent => {
            stream.read_u8().await?;
        }
        Habit::Slow => {
            stream.write_all(head(1 << 20).as_bytes()).await?;
            loop {
                stream.write_all(&[0; 64]).await?;
                sent.fetch_add(64, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Habit::Huge => {
            let chunk = vec![0; 256 << 10];
            stream.write_all(head(HUGE).as_bytes()).await?;
            for _ in 0..HUGE / chunk.len() {
                stream.write_all(&chunk).await?;
                sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }
            stream.read_u8().await?;
        }
        Habit::Deaf => loop {
            let body = small.stamped(rand::random());
            stream.write_all(head(body.len()).as_bytes()).await?;
            stream.write_all(&body).await?;
            sent.fetch_add(body.len() as u64, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(2)).await;
        },
    }
    Ok(())
}
